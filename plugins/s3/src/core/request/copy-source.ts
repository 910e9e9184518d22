/** `x-amz-copy-source`: `/bucket/key` or `bucket/key`, percent-encoded, perhaps with `?versionId=`. */

import type { S3Error } from '../errors/s3-error.ts'

export interface CopySource {
  readonly bucket: string
  readonly key: string
  readonly versionId?: string
}

export declare function parseCopySource(value: string): CopySource | S3Error
