import { StoreError } from '@o3/common/errors'
import { anyLength } from '@o3/scm/tokens'
import type { BlockDeed, BlockToken, Vouching } from '@o3/scm/tokens'
import { deeds } from './deeds.ts'
import type { Deed } from './deeds.ts'
import type { ExchangeName, ListingName } from './methods.ts'
import type { Addressed } from './records.ts'

/** Says whether a token allows what its bearer asks for: `AccessDenied` and `Unavailable` as `Vouching.admit`. */
export type TokenCheck = Pick<Vouching, 'admit'>

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
  if (deed.length === 1 && only !== undefined) {
    const admitted = check.admit(carried, only)
    return admitted instanceof Promise ? admitted.then(maxBytesOf) : admitted.maxBytes
  }
  return admitAll(check, carried, deed)
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
