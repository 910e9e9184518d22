/**
 * A block token says that its bearer may do one kind of thing with one run of blocks, until a moment. OM and datanodes make
 * tokens, datanodes check them, and both have the keys from SCM; for everybody else they are bytes.
 *
 * 46 bytes, big-endian: format (1) · key id (4) · expiry in seconds (4) · mode (1) · container (8) · first local id (4) ·
 * count (4) · most bytes of a block (4) · HMAC-SHA256 of all that, its first 16 bytes.
 */

import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { BlockRange, SecretKey } from '../api/api.ts'
import { isSameMac, macBytes } from './mac.ts'
import type { Mac } from './mac.ts'

/**
 * What the bearer may do. `COPY` is between datanodes, of all blocks of a container: to list, read and write them, to make the
 * container and to close it. `DELETE`: its blocks, or with all of them the container.
 */
export type TokenMode = 'READ' | 'WRITE' | 'DELETE' | 'COPY'

export interface BlockToken extends BlockRange {
  readonly keyId: number
  readonly mode: TokenMode
  /** Until the end of this second of the Unix epoch. */
  readonly expiresSeconds: number
  /** The longest block that may be written; `anyLength` where that is nobody's concern. */
  readonly maxBytes: number
}

/** What somebody asks to do, and the kinds of tokens that allow it. */
export interface BlockDeed extends BlockRange {
  readonly modes: readonly TokenMode[]
}

export const tokenBytes = 46
export const anyLength = 0xffff_ffff
/** The run with which a container as a whole is meant. */
export const allBlocks = { firstLocal: 1, count: 0xffff_ffff } as const

const format = 0x11
const signedBytes = tokenBytes - macBytes
// The order is sent: append, never reorder.
const modes: readonly TokenMode[] = ['READ', 'WRITE', 'DELETE', 'COPY']
const highWord = 2 ** 32

/** Signed with this key: 46 bytes of its own. */
export function signToken(
  token: Omit<BlockToken, 'keyId'>,
  key: Pick<SecretKey, 'id' | 'secret'>,
  mac: Mac,
): Uint8Array {
  const bytes = new Uint8Array(tokenBytes)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, format)
  view.setUint32(1, key.id)
  view.setUint32(5, token.expiresSeconds)
  view.setUint8(9, modes.indexOf(token.mode))
  view.setUint32(10, Math.floor(token.container / highWord))
  view.setUint32(14, token.container % highWord)
  view.setUint32(18, token.firstLocal)
  view.setUint32(22, token.count)
  view.setUint32(26, token.maxBytes)
  bytes.set(mac(key.secret, bytes.subarray(0, signedBytes)).subarray(0, macBytes), signedBytes)
  return bytes
}

/** What the bytes claim. Undefined: they are no token. */
export function readToken(bytes: Uint8Array): BlockToken | undefined {
  if (bytes.length !== tokenBytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, tokenBytes)
  const mode = modes[view.getUint8(9)]
  const container = view.getUint32(10) * highWord + view.getUint32(14)
  if (view.getUint8(0) !== format || mode === undefined || !Number.isSafeInteger(container)) return undefined
  return {
    keyId: view.getUint32(1),
    expiresSeconds: view.getUint32(5),
    mode,
    container,
    firstLocal: view.getUint32(18),
    count: view.getUint32(22),
    maxBytes: view.getUint32(26),
  }
}

/** Whether the holder of this key has signed it. In constant time. */
export function isSignedToken(bytes: Uint8Array, key: Pick<SecretKey, 'secret'>, mac: Mac): boolean {
  return isSameMac(bytes.subarray(signedBytes), mac(key.secret, bytes.subarray(0, signedBytes)))
}

/** Why a genuine token does not allow the deed; undefined when it does. `AccessDenied`. */
export function judgeToken(token: BlockToken, deed: BlockDeed, nowMs: number): Refusal | undefined {
  if ((token.expiresSeconds + 1) * 1000 <= nowMs) return deny('the block token has expired')
  if (!deed.modes.includes(token.mode)) return deny(`a ${token.mode} token does not allow that`)
  const isCovered =
    token.container === deed.container &&
    deed.firstLocal >= token.firstLocal &&
    deed.firstLocal + deed.count <= token.firstLocal + token.count
  return isCovered ? undefined : deny('the block token is for other blocks')
}

function deny(message: string): Refusal {
  return refuse('AccessDenied', message)
}
