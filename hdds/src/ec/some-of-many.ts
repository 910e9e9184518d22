import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'

/** When something is slow, something else is asked beside it. */
export interface Hedge {
  readonly clock: Clock
  readonly afterMs: number
}

export interface Gathering<T> {
  /** How many answers are wanted. */
  readonly need: number
  /** Whom to ask: the first of them at once, the others when one of those fails or is slow. */
  readonly candidates: readonly number[]
  readonly ask: (candidate: number) => Promise<T>
  readonly hedge?: Hedge | undefined
  /** Called for each that failed, and once for each that had not answered when the next was asked. */
  readonly onFailure?: ((candidate: number, failure: StoreError | 'slow') => void) | undefined
}

/**
 * `need` answers of the candidates, by candidate; answers that come later are dropped. When too few are left: `Unavailable`, or
 * `Damaged` when everything that failed is rotten. A refusal of the access ends it at once.
 */
export function someOfMany<T>(gathering: Gathering<T>): Promise<ReadonlyMap<number, T>> {
  return new Promise((resolve, reject) => {
    new Race(gathering, resolve, reject).proceed()
  })
}

class Race<T> {
  private readonly gathering: Gathering<T>
  private readonly resolve: (found: ReadonlyMap<number, T>) => void
  private readonly reject: (reason: unknown) => void
  private readonly found = new Map<number, T>()
  private readonly asked = new Set<number>()
  private readonly failures: StoreError[] = []
  private next = 0
  private isOver = false
  private readonly slow = new Set<number>()
  private isHedging = false
  private stopHedge = (): void => {}

  constructor(
    gathering: Gathering<T>,
    resolve: (found: ReadonlyMap<number, T>) => void,
    reject: (reason: unknown) => void,
  ) {
    this.gathering = gathering
    this.resolve = resolve
    this.reject = reject
  }

  proceed(): void {
    const { need, candidates } = this.gathering
    if (this.found.size >= need) return this.end(() => this.resolve(this.found))
    while (this.found.size + this.asked.size < need && this.next < candidates.length) this.askNext()
    if (this.found.size + this.asked.size < need) this.end(() => this.reject(tooFewLeft(this.failures)))
    else this.hedgeLater()
  }

  private askNext(): void {
    const candidate = this.gathering.candidates[this.next++] as number
    this.asked.add(candidate)
    this.gathering.ask(candidate).then(
      (answer) => {
        this.asked.delete(candidate)
        if (this.isOver) return
        this.found.set(candidate, answer)
        this.proceed()
      },
      (failure: unknown) => {
        this.asked.delete(candidate)
        this.failed(candidate, failure)
      },
    )
  }

  private failed(candidate: number, failure: unknown): void {
    if (this.isOver) return
    if (!isOfOneCandidate(failure)) return this.end(() => this.reject(failure))
    this.gathering.onFailure?.(candidate, failure)
    this.failures.push(failure)
    this.proceed()
  }

  private hedgeLater(): void {
    const { hedge, candidates } = this.gathering
    if (hedge === undefined || this.isHedging || this.next >= candidates.length) return
    this.isHedging = true
    this.stopHedge = hedge.clock.after(hedge.afterMs, () => {
      this.isHedging = false
      this.noteSlow()
      if (this.next < candidates.length) this.askNext()
      this.hedgeLater()
    })
  }

  private noteSlow(): void {
    for (const candidate of this.asked) {
      if (this.slow.has(candidate)) continue
      this.slow.add(candidate)
      this.gathering.onFailure?.(candidate, 'slow')
    }
  }

  private end(settle: () => void): void {
    this.isOver = true
    this.stopHedge()
    settle()
  }
}

/** Another candidate may do better. A caller without rights is refused everywhere, and a bug is no failure. */
export function isOfOneCandidate(failure: unknown): failure is StoreError {
  return failure instanceof StoreError && failure.category !== 'denied'
}

/** What to say when too many have failed. */
export function tooFewLeft(failures: readonly StoreError[]): StoreError {
  const [first] = failures
  const passing = failures.find(({ code }) => code !== 'Damaged')
  if (first !== undefined && passing === undefined) {
    return new StoreError('Damaged', 'too many shards are damaged', { details: first.details, cause: first })
  }
  return new StoreError('Unavailable', 'too few shards can be read', passing === undefined ? {} : { cause: passing })
}
