/** What every contract test starts from. */

import { digestOf } from '@o3/common/digest/node'
import { isStoreError } from '@o3/common/errors'
import type { StoreErrorCode } from '@o3/common/errors'
import { expect } from 'vitest'
import type {
  ByteSource,
  Identities,
  KeyAttributes,
  KeyCommit,
  KeyRef,
  O3Session,
  O3Store,
  Principal,
  PutOptions,
  Quota,
} from '../../api/api.ts'
import { base64Of, hexOf } from '../../store/digest-text.ts'

/** A store to be tested, new and empty: no volume, no user. */
export interface OpenedStore {
  readonly store: O3Store
  readonly identities: Identities
  close(): Promise<void>
}

export type OpenStore = () => Promise<OpenedStore>

export const admin: Principal = { user: 'admin', admin: true }
export const alice: Principal = { user: 'alice', admin: false }
export const bob: Principal = { user: 'bob', admin: false }

export const bucket = { volume: 'vol', bucket: 'buck' } as const

/** An administrator's session on a store with the volume `vol` and in it the bucket `buck`. */
export async function withBucket(store: O3Store, quota: Quota = {}): Promise<O3Session> {
  const session = store.session(admin)
  await session.volumes.create('vol')
  await session.buckets.create(bucket, { quota })
  return session
}

export function keyRef(key: string): KeyRef {
  return { ...bucket, key }
}

export const noAttributes = { headers: {}, metadata: {}, tags: {} } as const

/** MD5 as the ETag, as an S3 PUT has it. */
export function simplePut(attributes: Partial<KeyAttributes> = {}): PutOptions {
  return {
    digests: ['md5'],
    finish: ({ md5 }) => ({ ...noAttributes, etag: hexOf(md5!), ...attributes }),
    preconditions: {},
  }
}

export function put(
  session: O3Session,
  key: string,
  body: ByteSource | string,
  options: Partial<PutOptions> = {},
): Promise<KeyCommit> {
  return session.keys.put(keyRef(key), typeof body === 'string' ? text(body) : body, { ...simplePut(), ...options })
}

export function text(content: string): Uint8Array {
  return new TextEncoder().encode(content)
}

/** Bytes that repeat only after 251: a piece out of place is seen. */
export function pattern(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (i + seed) % 251
  return bytes
}

export async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.slice(at, at + pieceBytes)
}

export function etagOf(bytes: Uint8Array | string): string {
  return hexOf(digestOf('md5', typeof bytes === 'string' ? text(bytes) : bytes))
}

export function base64(bytes: Uint8Array): string {
  return base64Of(bytes)
}

/** The bytes of a key, or of a range of it, read to their end. */
export async function read(
  session: O3Session,
  key: string,
  options: Parameters<O3Session['keys']['get']>[1] = {},
): Promise<Uint8Array> {
  const { body } = await session.keys.get(keyRef(key), options)
  const pieces: Uint8Array[] = []
  if (body.bytes instanceof Uint8Array) pieces.push(body.bytes)
  // A piece may be overwritten once the next one is asked for.
  else for await (const piece of body.bytes) pieces.push(new Uint8Array(piece))
  const all = Buffer.concat(pieces)
  expect(all.length).toBe(body.length)
  return all
}

export async function readText(session: O3Session, key: string): Promise<string> {
  return new TextDecoder().decode(await read(session, key))
}

export async function expectSameBytes(actual: Promise<Uint8Array>, expected: Uint8Array): Promise<void> {
  const bytes = await actual
  expect(bytes.length).toBe(expected.length)
  // Not `toEqual`: it takes seconds to compare megabytes.
  expect(Buffer.compare(bytes, expected)).toBe(0)
}

export async function expectRefusal(action: Promise<unknown>, ...codes: StoreErrorCode[]): Promise<void> {
  const outcome = await action.then(
    (value) => ({ answered: value }),
    (error: unknown) => (isStoreError(error) ? error.code : error),
  )
  if (codes.length === 1) expect(outcome).toBe(codes[0])
  else expect(codes).toContain(outcome)
}

/** Names of a listing: prefixes with a star. */
export async function listed(
  session: O3Session,
  options: Partial<Parameters<O3Session['keys']['list']>[1]> = {},
): Promise<readonly string[]> {
  const page = await session.keys.list(bucket, { limit: 1000, ...options })
  const names = page.items.map((entry) => (entry.kind === 'key' ? entry.key.name : `${entry.prefix}*`))
  return page.truncated ? [...names, '…'] : names
}
