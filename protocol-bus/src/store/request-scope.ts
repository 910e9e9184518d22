/** Request ids as OM keeps them. */

import type { KeyRef, Principal } from '../api/api.ts'
import { md5OfText } from './digest-text.ts'

/**
 * A caller's own id for a request, made unique to the caller and the key: two callers who choose the same must not get
 * each other's answers. Always 32 characters, whatever was chosen.
 */
export function scopedRequestId(principal: Principal, ref: KeyRef, requestId: string | undefined): string | undefined {
  if (requestId === undefined) return undefined
  return md5OfText(JSON.stringify([principal.user, ref.volume, ref.bucket, ref.key, requestId]))
}
