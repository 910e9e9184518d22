import { StoreError } from '@o3/common/errors'
import type { ContainerId } from '@o3/scm/api'
import { anyLength, readToken } from '@o3/scm/tokens'
import type { BlockDeed, BlockToken, Vouching } from '@o3/scm/tokens'
import { deeds } from './deeds.ts'
import type { Deed } from './deeds.ts'
import type { ExchangeName, ListingName } from './methods.ts'
import type { Addressed } from './records.ts'

/** How calls are let in. */
export interface TokenCheck extends Pick<Vouching, 'admit'> {
  /**
   * The container whose shard this one is, as the shard itself says; undefined: it is none. Who may read a block of an encoded
   * container reads cells of its shards: OM knows nothing of those, so the token is for the container. `ContainerNotFound`: it may
   * have been one that has moved, and who is told so looks elsewhere. Default: there are none.
   */
  readonly shardOf?: (container: ContainerId) => ContainerId | undefined | Promise<ContainerId | undefined>
}

/**
 * Lets a call in, or throws. Answers with the most bytes that a block may have which it writes; a promise only while a key
 * has to be asked for.
 */
export function admitCall(
  check: TokenCheck,
  name: ExchangeName | ListingName,
  { request, token }: Addressed<unknown>,
): number | Promise<number> {
  const deed = (deeds[name] as (request: unknown) => Deed)(request)
  if (deed === 'report') return anyLength
  if (deed === 'heartbeat')
    throw new StoreError('AccessDenied', 'a datanode does that for SCM alone, which asks by heartbeat')
  const carried = token ?? tokenIn(request)
  const [only] = deed
  if (deed.length !== 1 || only === undefined) return admitAll(check, carried, deed)
  if (isOfParent(check, carried, only)) return admitShard(check, carried, only)
  const admitted = check.admit(carried, only)
  return admitted instanceof Promise ? admitted.then(maxBytesOf) : admitted.maxBytes
}

/** It claims to be for reading another container: that may be the one that was encoded. */
function isOfParent(
  { shardOf }: TokenCheck,
  token: Uint8Array | undefined,
  { modes, container }: BlockDeed,
): token is Uint8Array {
  if (shardOf === undefined || token === undefined || !modes.includes('READ')) return false
  const claimed = readToken(token)
  return claimed?.mode === 'READ' && claimed.container !== container
}

/**
 * Which of the parent's blocks a cell has is not asked: a token for one of them opens all cells of the shard. What the shard says is
 * looked up for genuine tokens only: nobody else learns which containers are here.
 */
async function admitShard(check: TokenCheck, token: Uint8Array, deed: BlockDeed): Promise<number> {
  const { container, firstLocal } = readToken(token) as BlockToken
  const { maxBytes } = await check.admit(token, { ...deed, container, firstLocal, count: 1 })
  const parent = await check.shardOf?.(deed.container)
  return parent === container ? maxBytes : (await check.admit(token, deed)).maxBytes
}

async function admitAll(check: TokenCheck, token: Uint8Array | undefined, all: readonly BlockDeed[]): Promise<number> {
  for (const deed of all) await check.admit(token, deed)
  return anyLength
}

function maxBytesOf({ maxBytes }: BlockToken): number {
  return maxBytes
}

/** Those that reach blocks have it among what they say of them. */
export function tokenIn(request: unknown): Uint8Array | undefined {
  return typeof request === 'object' && request !== null && 'token' in request
    ? (request.token as Uint8Array | undefined)
    : undefined
}
