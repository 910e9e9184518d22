/** `Range` and `x-amz-copy-source-range`. */

import type { RangeRequest } from '@o3/protocol-bus/api'
import type { S3Error } from '../errors/s3-error.ts'

/**
 * One range of bytes. Undefined asks for the whole object: no header, several ranges, another unit, or rubbish, which
 * RFC 9110 §14.2 lets a server ignore and S3 does. Whether it fits the object is judged where the object's size is known.
 */
export declare function parseRange(value: string | undefined): RangeRequest | undefined
/** Strict: `bytes=first-last`, both given, else `InvalidArgument`. End is exclusive in the result. */
export declare function parseCopyRange(value: string): { readonly start: number; readonly end: number } | S3Error
