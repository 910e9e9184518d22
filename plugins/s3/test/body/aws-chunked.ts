/** An encoder of `aws-chunked`, written from the specification. */

import { createHash } from 'node:crypto'
import type { SigningContext } from '../../src/auth/signing-key.ts'

const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export interface ChunkedOptions {
  /** Without it nothing is signed. */
  readonly signing?: SigningContext
  readonly trailers?: readonly (readonly [name: string, value: string])[]
}

/** The last, empty chunk is added. */
export function awsChunked(chunks: readonly Uint8Array[], { signing, trailers }: ChunkedOptions): Buffer {
  let previous = signing?.seedSignature ?? ''
  const sign = (kind: string, rest: string): string => {
    if (signing === undefined) return ''
    previous = signing.key.sign(`${kind}\n${signing.timestamp}\n${signing.scope}\n${previous}\n${rest}`)
    return previous
  }
  const encoded: Uint8Array[] = []
  for (const chunk of [...chunks.filter(({ length }) => length > 0), Buffer.alloc(0)]) {
    const signature = sign('AWS4-HMAC-SHA256-PAYLOAD', `${sha256('')}\n${sha256(chunk)}`)
    encoded.push(
      Buffer.from(`${chunk.length.toString(16)}${signature === '' ? '' : `;chunk-signature=${signature}`}\r\n`),
      chunk,
    )
    if (chunk.length > 0) encoded.push(Buffer.from('\r\n'))
  }
  for (const [name, value] of trailers ?? []) encoded.push(Buffer.from(`${name}:${value}\r\n`))
  if (trailers !== undefined && signing !== undefined) {
    const block = trailers.map(([name, value]) => `${name}:${value}\n`).join('')
    encoded.push(Buffer.from(`x-amz-trailer-signature:${sign('AWS4-HMAC-SHA256-TRAILER', sha256(block))}\r\n`))
  }
  encoded.push(Buffer.from('\r\n'))
  return Buffer.concat(encoded)
}
