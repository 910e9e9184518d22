import type { StepBudget } from './order-search.ts'

export interface CheckLimits {
  /** How often the model may be asked, for all keys together. Default 2,000,000; it also bounds the memory. */
  readonly mostSteps?: number
}

/** The steps of one check. */
export class CheckBudget implements StepBudget {
  left: number
  private readonly mostSteps: number

  constructor({ mostSteps = 2_000_000 }: CheckLimits) {
    this.mostSteps = mostSteps
    this.left = mostSteps
  }

  get spent(): number {
    return this.mostSteps - Math.max(0, this.left)
  }
}
