/** Which bytes of a key a request means. Shared by the store and the reference for the reason given in `conditions.ts`. */

import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { PartSummary, RangeRequest } from '../api/api.ts'

/** [start, end) within a key. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** What a range is resolved against. */
export interface RangedKey {
  readonly size: number
  readonly parts?: readonly PartSummary[]
}

/**
 * The bytes that are served: all of them when nothing is asked, else the request clipped to the key. `InvalidRange`
 * (details: size) when nothing is left of it, as of every range of an empty key (RFC 9110 §14.1.2 and S3); a part that
 * the key does not have is one too (details: size, parts). A key that was not made from parts is its own part 1, also
 * when it is empty.
 */
export function resolveRange(request: RangeRequest | undefined, key: RangedKey): ByteRange | Refusal {
  if (request === undefined) return { start: 0, end: key.size }
  switch (request.kind) {
    case 'from-to':
      return fromTo(request.start, request.end ?? key.size, key.size)
    case 'suffix':
      return fromTo(Math.max(0, key.size - request.length), key.size, key.size)
    case 'part':
      return part(request.number, key)
  }
}

function fromTo(start: number, end: number, size: number): ByteRange | Refusal {
  const clipped = Math.min(end, size)
  // Written so that NaN is refused too.
  if (start >= 0 && start < clipped) return { start, end: clipped }
  return refuse('InvalidRange', 'the range lies outside the key', { size })
}

function part(number: number, key: RangedKey): ByteRange | Refusal {
  const parts = key.parts ?? [{ number: 1, size: key.size }]
  let start = 0
  // By the number it was uploaded under: numbers may have gaps.
  for (const { number: candidate, size } of parts) {
    if (candidate === number) return { start, end: start + size }
    start += size
  }
  return refuse('InvalidRange', 'the key has no such part', { size: key.size, parts: parts.length })
}
