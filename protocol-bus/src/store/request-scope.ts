/** Request ids as OM keeps them. */

import type { KeyRef, Principal } from '../api/api.ts'
import { md5OfText } from './digest-text.ts'

/** A caller who uses one id for a put and a delete has two requests, not one that was repeated. */
export type RepeatableOperation = 'put' | 'copy' | 'delete' | 'part'

/**
 * A caller's own id for a request, made unique to the caller, the operation and the key: two callers who choose the same
 * must not get each other's answers. Always 32 characters, whatever was chosen.
 */
export function scopedRequestId(
  scope: { readonly principal: Principal; readonly operation: RepeatableOperation; readonly ref: KeyRef },
  requestId: string | undefined,
): string | undefined {
  if (requestId === undefined) return undefined
  const { principal, operation, ref } = scope
  return md5OfText(JSON.stringify([principal.user, operation, ref.volume, ref.bucket, ref.key, requestId]))
}
