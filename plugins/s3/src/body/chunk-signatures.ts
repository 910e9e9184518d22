/**
 * Checks the chain of signatures through an `aws-chunked` body: each chunk's covers the one before it, so that chunks
 * cannot be changed, swapped, dropped or added.
 */

import { createHash, hash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { sha256Hex, signaturesEqual } from '../auth/signature.ts'
import type { SigningContext } from '../auth/signing-key.ts'
import type { ChunkObserver, Trailer } from '../core/body/chunk-decoder.ts'
import { S3Error } from '../core/errors/s3-error.ts'

/**
 * The bytes of a chunk are handed on before its signature is known: nothing is committed until the whole body is, and
 * a body of one bad chunk never is.
 */
export class ChunkSignatures implements ChunkObserver {
  readonly #signing: SigningContext
  readonly #trailersAreSigned: boolean
  readonly #onTrailers: (fields: readonly Trailer[]) => void
  #previous: string
  /** Of a chunk that comes in several pieces. */
  #hash: Hash | undefined
  /** Of a chunk that came in one, which is the cheaper way. */
  #digest: string | undefined

  constructor(
    signing: SigningContext,
    options: { readonly trailersAreSigned: boolean; readonly onTrailers: (fields: readonly Trailer[]) => void },
  ) {
    this.#signing = signing
    this.#previous = signing.seedSignature
    this.#trailersAreSigned = options.trailersAreSigned
    this.#onTrailers = options.onTrailers
  }

  data(bytes: Uint8Array, left: number): void {
    if (left === 0 && this.#hash === undefined) this.#digest = hash('sha256', bytes, 'hex')
    else (this.#hash ??= createHash('sha256')).update(bytes)
  }

  chunkEnd(signature: string | undefined): void {
    const digest = this.#digest ?? this.#hash?.digest('hex') ?? emptySha256
    this.#digest = undefined
    this.#hash = undefined
    this.#advance(`AWS4-HMAC-SHA256-PAYLOAD\n${this.#link()}\n${emptySha256}\n${digest}`, signature)
  }

  trailers(fields: readonly Trailer[], signature: string | undefined): void {
    if (this.#trailersAreSigned) {
      const block = fields.map(({ name, value }) => `${name}:${value}\n`).join('')
      this.#advance(`AWS4-HMAC-SHA256-TRAILER\n${this.#link()}\n${sha256Hex(block)}`, signature)
    }
    this.#onTrailers(fields)
  }

  #link(): string {
    return `${this.#signing.timestamp}\n${this.#signing.scope}\n${this.#previous}`
  }

  #advance(toSign: string, signature: string | undefined): void {
    const expected = this.#signing.key.sign(toSign)
    if (!signaturesEqual(expected, signature ?? '')) {
      throw new S3Error('SignatureDoesNotMatch', {
        elements: { StringToSign: toSign, SignatureProvided: signature ?? '' },
      })
    }
    this.#previous = expected
  }
}

const emptySha256 = hash('sha256', '', 'hex')
