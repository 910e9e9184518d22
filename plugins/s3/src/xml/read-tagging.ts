/** Tags: the body of PutObjectTagging and PutBucketTagging, and the header `x-amz-tagging`. */

import type { S3Error } from '../core/errors/s3-error.ts'

export type Tags = Readonly<Record<string, string>>
export type TagOwner = 'object' | 'bucket'

export const maxTaggingBytes = 64 * 1024

/** At most 10 tags for an object, 50 for a bucket; keys 1–128, values 0–256 characters. */
export declare function readTagging(document: Uint8Array, owner: TagOwner): Tags | S3Error
/** `a=1&b=2`, percent-encoded; the rules of an object's tags. */
export declare function parseTaggingHeader(value: string): Tags | S3Error
