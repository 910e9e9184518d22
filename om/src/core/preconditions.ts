import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Preconditions } from '../api/api.ts'
import type { LeafRow } from './rows/entry.ts'

/**
 * Judges a write or a delete against the key that is there. `KeyNotFound` where If-Match names a key that is not (S3
 * answers 404 and not 412), else `PreconditionFailed`.
 */
export function judgeWrite(conditions: Preconditions, key: LeafRow | undefined): Refusal | undefined {
  const { ifMatch, ifNoneMatch } = conditions
  if (ifMatch !== undefined) {
    if (key === undefined) return refuse('KeyNotFound', 'no such key')
    if (!names(ifMatch, key)) return failed(key)
  }
  if (ifNoneMatch !== undefined && key !== undefined && names(ifNoneMatch, key)) return failed(key)
  return undefined
}

function names(etags: readonly string[] | '*', key: LeafRow): boolean {
  return etags === '*' || etags.includes(key.attributes.etag)
}

function failed(key: LeafRow): Refusal {
  const { attributes, modifiedMs } = key
  return refuse('PreconditionFailed', 'a precondition did not hold', { etag: attributes.etag, modifiedMs })
}
