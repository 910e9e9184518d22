/** Clients that prove who they are and then do not keep to the rules: an error, nothing stored, and everybody else is served. */

import { Secret } from '@o3/common/log'
import { isStoreError } from '@o3/common/errors'
import { RpcClient, keyClient } from '@o3/common/rpc'
import type { RpcBody } from '@o3/common/rpc'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { calls, trailer } from '../src/core/calls.ts'
import { encode } from '../src/core/codec.ts'
import { endOf, maxTrailerBytes, runOf } from '../src/core/runs.ts'

import { pattern } from './bytes.ts'
import { admin, adminKey, newStore, serve } from './worlds.ts'
import type { Served } from './worlds.ts'

const bucket = { volume: 's3v', bucket: 'photos' } as const
const attributes = { etag: 'e', headers: {}, metadata: {}, tags: {} }
const request = { ref: { ...bucket, key: 'k' }, digests: ['crc32'] as const, preconditions: {} }
const head = encode(calls['keys.put.1'].request, request)
/** Of no bytes at all. */
const crcOfNothing = Uint8Array.of(0, 0, 0, 0)

let reference: ReturnType<typeof newStore>
let served: Served
let rpc: RpcClient

beforeEach(async () => {
  reference = newStore()
  await reference.store.session(admin).buckets.create(bucket)
  served = await serve(reference)
  const [keyId, secret] = adminKey
  const authentication = keyClient({ keyId, secret: new Secret(secret) }, served.env.random)
  rpc = new RpcClient({ ...served.env, address: served.address, authentication })
})

afterEach(async () => {
  const { items } = await reference.store.session(admin).keys.list(bucket, { limit: 10 })
  expect(items).toEqual([])
  // Somebody else is served.
  const { session, close } = await served.connect(...adminKey)
  expect(await session.volumes.info('s3v')).toMatchObject({ name: 's3v' })
  close()
  rpc.close()
  await served.stop()
})

async function outcome(method: string, payload: Uint8Array, body?: RpcBody): Promise<unknown> {
  try {
    await rpc.call(method, payload, { deadlineMs: 10_000, ...(body === undefined ? {} : { body }) })
    return 'answered'
  } catch (error) {
    return isStoreError(error) ? error.code : error
  }
}

test.each([
  ['nothing', new Uint8Array(0)],
  ['garbage', pattern(500)],
  ['another version', Uint8Array.of(9, ...head.subarray(1))],
  ['half of it', head.subarray(0, head.length / 2)],
  ['more than it', Buffer.concat([head, pattern(3)])],
])('a payload that is %s', async (_, payload) => {
  expect(await outcome('keys.put.1', payload, endOf(new Uint8Array(0)))).toBe('InvalidArgument')
})

test('a method that is none', async () => {
  expect(await outcome('keys.steal.1', head)).toBe('NotImplemented')
})

const good = encode(trailer, { digests: { crc32: crcOfNothing }, attributes })

test.each<[string, Uint8Array | undefined, string]>([
  ['no body', undefined, 'IncompleteBody'],
  ['a run without an end', runOf(pattern(1000)), 'IncompleteBody'],
  ['a run that is shorter than it says', runOf(pattern(1000)).subarray(0, 900), 'IncompleteBody'],
  ['an end without a trailer', endOf(new Uint8Array(0)), 'InvalidArgument'],
  ['a trailer of garbage', endOf(pattern(100)), 'InvalidArgument'],
  ['a trailer without end', endOf(new Uint8Array(maxTrailerBytes + 1)), 'TooLarge'],
  ['digests of other bytes', Buffer.concat([runOf(pattern(10)), endOf(good)]), 'DigestMismatch'],
  ['no digests', endOf(encode(trailer, { digests: {}, attributes })), 'DigestMismatch'],
])('a put with %s', async (_, body, code) => {
  expect(await outcome('keys.put.1', head, body)).toBe(code)
})

test('a body that is said to be whole and small, and is not', async () => {
  const whole = encode(calls['keys.put.1'].request, { ...request, trailer: { digests: {}, attributes } })
  expect(await outcome('keys.put.1', whole, pattern(100_000))).toBe('TooLarge')
})

test('a client that cancels in the middle of a body', async () => {
  const abort = new AbortController()
  async function* half(): AsyncGenerator<Uint8Array> {
    yield runOf(pattern(200_000))
    abort.abort()
    yield runOf(pattern(200_000))
    yield endOf(good)
  }
  await expect(rpc.call('keys.put.1', head, { body: half(), signal: abort.signal })).rejects.toThrow()
})

test('parts that are completed unseen', async () => {
  const { uploads } = reference.store.session(admin)
  const ref = { ...bucket, key: 'k' }
  const { id } = await uploads.start(ref, { attributes: { headers: {}, metadata: {}, tags: {} } })
  const { number, etag } = await uploads.putPart(ref, id, 1, pattern(10), {
    digests: [],
    finish: () => ({ etag: 'p' }),
  })
  const complete = {
    ref: { ...ref, upload: id },
    parts: [{ number, etag }],
    preconditions: {},
    minPartBytes: 0,
  }
  const { request: codec } = calls['uploads.complete.1']
  expect(await outcome('uploads.complete.1', encode(codec, complete))).toBe('ConcurrentChange')
  const whole = { seen: new Uint8Array(32), etag: 'forged' }
  expect(await outcome('uploads.complete.1', encode(codec, { ...complete, whole }))).toBe('ConcurrentChange')
})
