/** `x-amz-content-sha256`: what a client says about how its body is protected. */

import type { S3Error } from '../core/errors/s3-error.ts'

export type PayloadMode =
  /** The digest is in the signature. Lower-case hexadecimal. */
  | { readonly kind: 'sha256'; readonly hex: string }
  | { readonly kind: 'unsigned' }
  /** `aws-chunked`: chunks signed in a chain, perhaps with signed trailers; or unsigned with trailers. */
  | { readonly kind: 'chunked'; readonly signed: boolean; readonly trailer: boolean }

export declare function parsePayloadMode(value: string): PayloadMode | S3Error
