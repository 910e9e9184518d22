/** The body of CompleteMultipartUpload. */

import type { ChecksumAlgorithm } from '@o3/protocol-bus/api'
import type { S3Error } from '../core/errors/s3-error.ts'

export interface CompletedPart {
  readonly number: number
  /** Without quotes. */
  readonly etag: string
  /** Base64, by algorithm: validated in length. */
  readonly checksums: Readonly<Partial<Record<ChecksumAlgorithm, string>>>
}

export const maxCompleteBytes = 4 * 1024 * 1024

/** 1 to 10,000 parts, in the document's order (which may be wrong: `InvalidPartOrder` is the store's). */
export declare function readComplete(document: Uint8Array): readonly CompletedPart[] | S3Error
