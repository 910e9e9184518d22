/** The one way in which a key comes to be: by a put, a copy or a completed upload. */

import { StoreError } from '@o3/common/errors'
import type { KeyAttributes, KeyCommit, KeyInfo, PartSummary, Preconditions, Quota } from '../../api/api.ts'
import { judgeWrite } from '../../core/conditions.ts'
import { agreed } from './context.ts'
import type { Place, ReferenceContext } from './context.ts'
import { checkAttributes } from './limits.ts'
import { bucketUsage, volumeUsage } from './records.ts'

export interface NewKey {
  readonly name: string
  readonly owner: string
  readonly bytes: Uint8Array
  readonly attributes: KeyAttributes
  readonly preconditions: Preconditions
  readonly parts?: readonly PartSummary[]
  /** Bytes counted so far that go when the key comes: those of its upload. */
  readonly freedBytes?: number
}

/** `KeyNotFound`, `PreconditionFailed`, `QuotaExceeded`: nothing has changed then. */
export function storeKey(context: ReferenceContext, place: Place, given: NewKey): KeyCommit {
  checkAttributes(given.attributes)
  const existing = place.bucket.keys.get(given.name)
  const refusal = judgeWrite(given.preconditions, existing?.info)
  if (refusal !== undefined) agreed(refusal)
  const goes = (existing?.bytes.length ?? 0) + (given.freedBytes ?? 0)
  checkQuotas(place, { bytes: given.bytes.length - goes, keys: existing === undefined ? 1 : 0 })
  const info: KeyInfo = {
    ...given.attributes,
    name: given.name,
    size: given.bytes.length,
    modifiedMs: context.clock.wallMs(),
    owner: given.owner,
    updateId: context.sequence(),
    ...(given.parts === undefined ? {} : { parts: given.parts }),
  }
  place.bucket.keys.set(given.name, { info, bytes: given.bytes })
  return { etag: info.etag, modifiedMs: info.modifiedMs, size: info.size, updateId: info.updateId }
}

interface Growth {
  readonly bytes: number
  readonly keys: number
}

/** `QuotaExceeded`. */
export function checkQuotas({ volume, bucket }: Place, growth: Growth): void {
  checkQuota(bucket.row.quota, () => bucketUsage(bucket), growth)
  checkQuota(volume.row.quota, () => volumeUsage(volume), growth)
}

/** What does not grow is never refused, also above a quota that was lowered. */
function checkQuota(quota: Quota, usage: () => Growth, growth: Growth): void {
  if (quota.bytes === undefined && quota.keys === undefined) return
  const used = usage()
  for (const unit of ['bytes', 'keys'] as const) {
    const limit = quota[unit]
    if (limit !== undefined && growth[unit] > 0 && used[unit] + growth[unit] > limit) {
      throw new StoreError('QuotaExceeded', `the quota of ${limit} ${unit} would be exceeded`)
    }
  }
}
