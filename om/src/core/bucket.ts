import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { BucketRef } from '../api/api.ts'
import type { RowView } from './row-view.ts'
import { buckets } from './rows/bucket.ts'
import type { BucketRow } from './rows/bucket.ts'

export interface FoundBucket {
  readonly ref: BucketRef
  readonly row: BucketRow
}

/** `BucketNotFound`, also when there is no such volume. */
export function findBucket(rows: RowView, ref: BucketRef): FoundBucket | Refusal {
  const row = rows.get(buckets, ref)
  return row === undefined ? bucketNotFound(ref) : { ref, row }
}

export function bucketNotFound(ref: BucketRef): Refusal {
  return refuse('BucketNotFound', 'no such bucket', { bucket: ref.bucket })
}
