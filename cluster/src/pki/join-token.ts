/**
 * What an administrator hands to a new process, once: who it will be, until when the token is good, and the root, by which
 * the process knows that it talks to the right cluster before it has anything to prove. Sealed with a key that is derived from
 * the authority's, so that every member of SCM which could sign can also tell whether a token is true, without having seen it.
 */

import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { StoreError } from '@o3/common/errors'
import { formatProcessName, parseProcessName } from '@o3/common/pki'
import type { Authority, ProcessName } from '@o3/common/pki'
import { parseObject } from '../data-directory.ts'

export interface JoinToken {
  readonly name: ProcessName
  readonly expiresMs: number
  /** Hexadecimal: tells one token from another. */
  readonly id: string
  /** PEM. */
  readonly root: string
}

const prefix = 'o3join1.'

/** One text without spaces. Whoever has it can become this process until it is used or expires. */
export function makeToken(authority: Authority, token: Omit<JoinToken, 'root'>): string {
  const content = JSON.stringify({
    name: formatProcessName(token.name),
    expiresMs: token.expiresMs,
    id: token.id,
    root: authority.certificate,
  })
  return `${prefix}${Buffer.from(content).toString('base64url')}.${sealOf(authority, content).toString('base64url')}`
}

/** What the token says, to its bearer, who cannot tell whether it is true. `InvalidArgument`. */
export function readToken(text: string): JoinToken {
  const [content] = partsOf(text)
  const { name, expiresMs, id, root } = parseObject(content) ?? {}
  const parsed = typeof name === 'string' ? parseProcessName(name) : undefined
  if (
    parsed === undefined ||
    typeof expiresMs !== 'number' ||
    typeof id !== 'string' ||
    !/^[0-9a-f]{32}$/.test(id) ||
    typeof root !== 'string'
  ) {
    throw new StoreError('InvalidArgument', 'this is no token of `o3 cluster token`')
  }
  return { name: parsed, expiresMs, id, root }
}

/** To who has the authority's key. `AccessDenied` for one that the authority did not make, or that is over. */
export function openToken(text: string, authority: Authority, nowMs: number): JoinToken {
  const token = readToken(text)
  const [content, seal] = partsOf(text)
  const expected = sealOf(authority, content)
  if (seal.length !== expected.length || !timingSafeEqual(seal, expected)) {
    throw new StoreError('AccessDenied', 'the token is not of this cluster')
  }
  if (nowMs >= token.expiresMs)
    throw new StoreError('AccessDenied', 'the token is over; `o3 cluster token` makes another')
  return token
}

function partsOf(text: string): readonly [content: string, seal: Uint8Array] {
  const match = /^o3join1\.([\w-]{1,8192})\.([\w-]{1,128})$/.exec(text)
  if (match === null) throw new StoreError('InvalidArgument', 'this is no token of `o3 cluster token`')
  const [, content = '', seal = ''] = match
  return [Buffer.from(content, 'base64url').toString('utf8'), Buffer.from(seal, 'base64url')]
}

function sealOf({ privateKey }: Authority, content: string): Buffer {
  const key = Buffer.from(hkdfSync('sha256', privateKey, '', 'o3 join token 1', 32))
  return createHmac('sha256', key).update(content).digest()
}
