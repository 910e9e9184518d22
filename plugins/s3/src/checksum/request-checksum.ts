/** What the headers of a request say about checksums. */

import type { ChecksumAlgorithm } from '@o3/protocol-bus/api'
import type { S3Error } from '../core/errors/s3-error.ts'
import type { ChecksumType } from './algorithms.ts'

export type PromisedChecksum =
  /** The value came as a header. */
  | {
      readonly kind: 'header'
      readonly algorithm: ChecksumAlgorithm
      readonly value: string
      readonly bytes: Uint8Array
    }
  /** The value follows the body. */
  | { readonly kind: 'trailer'; readonly algorithm: ChecksumAlgorithm }

type Headers = ReadonlyMap<string, string>

/** Of PUT, of a part and of documents. Undefined: none was promised. */
export declare function promisedChecksum(headers: Headers): PromisedChecksum | undefined | S3Error
/** Of CreateMultipartUpload: `x-amz-checksum-algorithm` and `-type`. Undefined: the client asked for none. */
export declare function uploadChecksum(
  headers: Headers,
): { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType } | undefined | S3Error
/** Of CopyObject: `x-amz-checksum-algorithm`. */
export declare function copyChecksum(headers: Headers): ChecksumAlgorithm | undefined | S3Error
/**
 * Of CompleteMultipartUpload: the checksum of the whole that the client expects, base64; a composite one may carry
 * `-N`. `parts` is how many there are.
 */
export declare function wholeChecksum(
  headers: Headers,
): { readonly algorithm: ChecksumAlgorithm; readonly value: string; readonly type?: ChecksumType } | undefined | S3Error
