import type { Cancel } from '../env.ts'
import type { SimRandom } from './sim-random.ts'

/** Something to do later in virtual time. Kind and name go into the trace. */
export interface Plan {
  readonly afterMs: number
  readonly kind: string
  readonly name: string
  readonly action: () => void
}

/** What the parts of a simulation see of it. */
export interface World {
  readonly nowMs: number
  /** The wall clock at virtual time 0. */
  readonly startWallMs: number
  readonly random: SimRandom
  plan(plan: Plan): Cancel
  /** Adds to the trace what is not an event of its own. */
  note(kind: string, name: string): void
  /** Makes the run fail. */
  fail(reason: string, cause?: unknown): void
}
