/** `x-amz-expected-bucket-owner`: a client that would rather fail than write into a stranger's bucket of that name. */

import type { BucketRef, O3Session } from '@o3/protocol-bus/api'
import { S3Error } from '../core/errors/s3-error.ts'

/** Throws `AccessDenied` where the bucket is another's. Costs a look at the bucket, only where the header was sent. */
export async function checkOwner(session: O3Session, bucket: BucketRef, expected: string | undefined): Promise<void> {
  if (expected === undefined) return
  const { owner } = await session.buckets.info({ volume: bucket.volume, bucket: bucket.bucket })
  if (owner !== expected) throw new S3Error('AccessDenied')
}
