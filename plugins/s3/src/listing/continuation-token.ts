/**
 * The opaque place where a listing goes on: the last name that was shown, with a checksum so that a token that was cut
 * or made up is refused and does not quietly list something else. It holds nothing that its reader was not shown.
 */

import { digestOf } from '@o3/common/digest/node'
import { invalidArgument } from '../core/errors/s3-error.ts'

const version = 1
const headBytes = 5

export function continuationToken(last: string): string {
  const name = new TextEncoder().encode(last)
  const token = new Uint8Array(headBytes + name.length)
  token[0] = version
  token.set(digestOf('crc32', name), 1)
  token.set(name, headBytes)
  return Buffer.from(token.buffer).toString('base64url')
}

/** The name that the token was made from; throws `InvalidArgument`. */
export function nameOfToken(token: string): string {
  const name = Buffer.from(token, 'base64url').subarray(headBytes).toString('utf8')
  // What decodes to a name but is not that name's token has a wrong version, checksum, or letters that decoding skips.
  if (continuationToken(name) !== token) {
    throw invalidArgument('The continuation token provided is incorrect', 'continuation-token', token)
  }
  return name
}
