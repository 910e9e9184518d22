/** `x-amz-content-sha256`: what a client says about how its body is protected. */

import { invalidArgument, S3Error } from '../errors/s3-error.ts'

export type PayloadMode =
  /** The digest is in the signature. Lower-case hexadecimal. */
  | { readonly kind: 'sha256'; readonly hex: string }
  | { readonly kind: 'unsigned' }
  /** `aws-chunked`: chunks signed in a chain, perhaps with signed trailers; or unsigned with trailers. */
  | { readonly kind: 'chunked'; readonly signed: boolean; readonly trailer: boolean }

export const unsignedPayload = 'UNSIGNED-PAYLOAD'

/** `InvalidArgument`; `NotImplemented` for the chunks of SigV4A. */
export function parsePayloadMode(value: string): PayloadMode | S3Error {
  const named = modes[value]
  if (named !== undefined) return named
  if (sha256Hex.test(value)) return { kind: 'sha256', hex: value.toLowerCase() }
  if (value.startsWith('STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD')) {
    return new S3Error('NotImplemented', { elements: { Header: 'x-amz-content-sha256' } })
  }
  return invalidArgument(
    'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.',
    'x-amz-content-sha256',
    value,
  )
}

const sha256Hex = /^[0-9A-Fa-f]{64}$/

const modes: Readonly<Record<string, PayloadMode>> = Object.assign(Object.create(null) as Record<string, PayloadMode>, {
  [unsignedPayload]: { kind: 'unsigned' },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { kind: 'chunked', signed: true, trailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { kind: 'chunked', signed: true, trailer: true },
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { kind: 'chunked', signed: false, trailer: true },
} satisfies Record<string, PayloadMode>)
