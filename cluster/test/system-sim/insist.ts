import type { Clock } from '@o3/common/env'
import { isStoreError, retryOf, type StoreErrorCode } from '@o3/common/errors'
import { SystemViolation } from './violation.ts'

export type Outcome<T> =
  | { readonly kind: 'answer'; readonly value: T }
  | { readonly kind: 'refused'; readonly code: StoreErrorCode }
  /** It did not happen. */
  | { readonly kind: 'nothing' }
  /** It may have happened, and may yet. */
  | { readonly kind: 'lost' }

/** Answers that no healthy cluster gives. */
const forbidden: ReadonlySet<StoreErrorCode> = new Set(['Internal', 'Damaged', 'Incompatible', 'InvalidArgument'])
const unknown: ReadonlySet<StoreErrorCode> = new Set(['DeadlineExceeded', 'OutcomeUnknown', 'Closed'])

/** Asks until there is an answer, or the time is over: with one request id, as a client does that wants to know. */
export async function insist<T>(clock: Clock, withinMs: number, ask: () => Promise<T>): Promise<Outcome<T>> {
  const endMs = clock.monotonicMs() + withinMs
  let mayHaveHappened = false
  do {
    try {
      return { kind: 'answer', value: await ask() }
    } catch (error) {
      if (!isStoreError(error)) throw error
      if (forbidden.has(error.code)) throw new SystemViolation('sane-answers', `${error.code}: ${error.message}`)
      if (unknown.has(error.code)) mayHaveHappened = true
      else if (retryOf(error.code) === 'never' || error.code === 'ConcurrentChange')
        return { kind: 'refused', code: error.code }
    }
    await clock.sleep(50)
  } while (clock.monotonicMs() < endMs)
  return { kind: mayHaveHappened ? 'lost' : 'nothing' }
}
