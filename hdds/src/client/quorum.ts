/** The same step at several members at once. */

import type { Cancel, Clock } from '@o3/common/env'

export type Outcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** It was not waited for. */
  | { readonly kind: 'late' }

export interface QuorumRules {
  readonly clock: Clock
  /** So many must be done. */
  readonly needed: number
  /** For `needed` to be done. */
  readonly deadlineMs: number
  /** How long the others are waited for, once `needed` are done after `elapsedMs`. */
  readonly graceMs: (elapsedMs: number) => number
  /** Whether this step is worth the grace. Default: all are. */
  readonly isAwaited?: (index: number) => boolean
  /** Whether a failure makes the step useless at all of them. Default: none does. */
  readonly endsAll?: (error: unknown) => boolean
}

export interface Gathered<T> {
  /** In the order of the steps. */
  readonly outcomes: readonly Outcome<T>[]
  /** Until `needed` were done. */
  readonly elapsedMs: number
  /** Beyond that, for the others. */
  readonly waitedMs: number
}

/**
 * Resolves when every step has settled; when enough are done and the grace for the others is over; or when it is not enough:
 * too many have failed, one in a way that ends it, or the deadline has passed. Never rejects. A step that is late goes on, and
 * what becomes of it is dropped: its owner ends it.
 */
export function gatherQuorum<T>(steps: readonly Promise<T>[], rules: QuorumRules): Promise<Gathered<T>> {
  const { clock, needed, deadlineMs, graceMs, isAwaited = () => true, endsAll = () => false } = rules
  return new Promise((resolve) => {
    const startedMs = clock.monotonicMs()
    const outcomes: Outcome<T>[] = steps.map(() => ({ kind: 'late' }))
    const awaited = new Set([...steps.keys()].filter(isAwaited))
    let done = 0
    let failures = 0
    let elapsedMs: number | undefined
    const finish = (): void => {
      cancel()
      const nowMs = clock.monotonicMs() - startedMs
      resolve({ outcomes: [...outcomes], elapsedMs: elapsedMs ?? nowMs, waitedMs: nowMs - (elapsedMs ?? nowMs) })
    }
    let cancel: Cancel = clock.after(deadlineMs, finish)
    const settle = (index: number, outcome: Outcome<T>): void => {
      outcomes[index] = outcome
      awaited.delete(index)
      if (outcome.kind === 'done') done++
      else failures++
      if (done === needed && elapsedMs === undefined) {
        elapsedMs = clock.monotonicMs() - startedMs
        cancel()
        cancel = clock.after(graceMs(elapsedMs), finish)
      }
      const isEnough = done >= needed && awaited.size === 0
      const isOver = outcome.kind === 'failed' && endsAll(outcome.error)
      if (isOver || isEnough || done + failures === steps.length || steps.length - failures < needed) finish()
    }
    for (const [index, step] of steps.entries()) {
      step.then(
        (value) => settle(index, { kind: 'done', value }),
        (error: unknown) => settle(index, { kind: 'failed', error }),
      )
    }
    if (steps.length < needed) finish()
  })
}
