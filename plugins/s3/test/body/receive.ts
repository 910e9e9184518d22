/** What a store does with a decoded body, and no more. */

import { createDigests } from '@o3/common/digest/node'
import type { HttpBody } from '@o3/protocol-bus/api'
import { decodeBody } from '../../src/body/decode-body.ts'
import type { CheckedBody, DecodeOptions } from '../../src/body/decode-body.ts'
import type { Authenticated } from '../../src/auth/authenticate.ts'
import { S3Error } from '../../src/core/errors/s3-error.ts'
import { s3ErrorFrom } from '../../src/core/errors/store-errors.ts'
import type { S3Request } from '../../src/core/request/s3-request.ts'

export interface Received extends CheckedBody {
  readonly content: Buffer
}

/** Takes the bytes, computes the digests that were asked for, checks. Rejects with what S3 would answer. */
export async function receive(
  body: HttpBody,
  request: S3Request,
  authenticated: Authenticated,
  options: DecodeOptions = {},
): Promise<Received> {
  try {
    const decoded = await decodeBody(body, request, authenticated, options)
    const digests = createDigests(decoded.digests)
    const pieces: Uint8Array[] = []
    const source = decoded.source instanceof Uint8Array ? [decoded.source] : decoded.source
    for await (const piece of source) {
      digests.update(piece)
      pieces.push(new Uint8Array(piece))
    }
    const content = Buffer.concat(pieces)
    return { content, ...decoded.check(digests.finish(), content.length) }
  } catch (error) {
    throw s3ErrorFrom(error, {})
  }
}

/** `ok`, or the code that S3 answers. */
export async function receiveCode(...args: Parameters<typeof receive>): Promise<string> {
  try {
    await receive(...args)
    return 'ok'
  } catch (error) {
    if (error instanceof S3Error) return error.code
    throw error
  }
}
