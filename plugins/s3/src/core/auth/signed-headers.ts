/** The list of headers that a signature covers. */

import { S3Error } from '../errors/s3-error.ts'
import type { S3Request } from '../request/s3-request.ts'

export interface SignedHeaders {
  /** `host;x-amz-date`, as it came. */
  readonly text: string
  /** In the order of the text. */
  readonly names: readonly string[]
  readonly set: ReadonlySet<string>
}

export function parseSignedHeaders(text: string): SignedHeaders {
  const names = text.split(';')
  return { text, names, set: new Set(names) }
}

/** In the order of the list, as the specification has it. A signed header that was not sent counts as an empty one. */
export function canonicalHeaders(headers: ReadonlyMap<string, string>, { names }: SignedHeaders): string {
  let text = ''
  for (const name of names) text += `${name}:${headers.get(name) ?? ''}\n`
  if (!text.includes('  ') && !text.includes('\t')) return text
  // Runs of white space count as one space. Names have none, and no run crosses the end of a line.
  return text.replace(/[ \t]+/g, ' ')
}

/**
 * `host`, because it may name the bucket; every `x-amz-` header, because each of them changes what is done (an unsigned
 * `x-amz-copy-source` on a presigned PUT would read any object that its signer may read). `content-type` need not be:
 * many clients leave it out. A signed header must have come once, or nobody knows what was signed.
 */
export function checkSignedHeaders(request: S3Request, signed: SignedHeaders): S3Error | undefined {
  let unsigned: string[] | undefined
  for (const name of request.wireHeaders.keys()) {
    if ((name.startsWith('x-amz-') || name === 'host') && !signed.set.has(name)) {
      unsigned ??= []
      unsigned.push(name)
    }
  }
  if (unsigned !== undefined) {
    return new S3Error('AccessDenied', {
      message: 'There were headers present in the request which were not signed',
      elements: { HeadersNotSigned: unsigned.join(', ') },
    })
  }
  for (const name of request.repeated) {
    if (signed.set.has(name)) {
      return new S3Error('InvalidRequest', { message: `The signed header ${name} was given more than once.` })
    }
  }
  return undefined
}
