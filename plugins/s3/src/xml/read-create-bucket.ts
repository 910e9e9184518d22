/** The body of CreateBucket. */

import type { S3Error } from '../core/errors/s3-error.ts'

export interface CreateBucketDocument {
  /** Undefined when absent or empty. */
  readonly locationConstraint?: string
  readonly tags: Readonly<Record<string, string>>
}

export const maxCreateBucketBytes = 64 * 1024

/** An empty document is a document that says nothing. */
export declare function readCreateBucket(document: Uint8Array): CreateBucketDocument | S3Error
