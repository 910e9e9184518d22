/** From the values of pure code to the exceptions of the store's edge. */

import { StoreError } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'

/** Throws a refusal; passes everything else on. */
export function agreed<T>(outcome: T | Refusal | undefined): T {
  if (isRefusal(outcome)) throw StoreError.fromRecord(outcome)
  return outcome as T
}

export function isRefusal(outcome: unknown): outcome is Refusal {
  return typeof outcome === 'object' && outcome !== null && 'kind' in outcome && outcome.kind === 'refusal'
}

/** `Aborted`, once the caller has given up. */
export function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new StoreError('Aborted', 'the request was aborted')
}
