/** The front end by the suite of all front ends, and what is its own: keys, digests, calls that are broken off. */

import { isStoreError } from '@o3/common/errors'
import type { Credential } from '@o3/protocol-bus/api'
import { pluginContract } from '@o3/protocol-bus/testing'
import type { PluginAnswer, PluginClient } from '@o3/protocol-bus/testing'
import { nodeEnv } from '@o3/common/env/node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connectNative } from '../src/client/client.ts'
import type { NativeConnection } from '../src/client/client.ts'
import { plugin } from '../src/plugin.ts'
import { collect, hexEtag, pattern, until } from './bytes.ts'
import { adminKey, newStore, serve } from './worlds.ts'
import type { Served } from './worlds.ts'

const bucket = { volume: 's3v', bucket: 'photos' } as const

function client(host: string, port: number, { accessKeyId, secret }: Credential): PluginClient {
  const env = nodeEnv()
  let connection: Promise<NativeConnection> | undefined
  const connected = (): Promise<NativeConnection> => {
    const address = { kind: 'tcp', host, port } as const
    connection ??= connectNative({ env, address, accessKey: accessKeyId, secretKey: secret }).catch(
      (error: unknown) => {
        connection = undefined
        throw error
      },
    )
    return connection
  }
  const answered = async (work: (of: NativeConnection) => Promise<Uint8Array>): Promise<PluginAnswer> => {
    try {
      return { ok: true, bytes: await work(await connected()) }
    } catch (error) {
      if (!isStoreError(error)) throw error
      return { ok: false, bytes: Buffer.from(JSON.stringify(error.toRecord())) }
    }
  }
  const nothing = new Uint8Array(0)
  return {
    put: (key, bytes) =>
      answered(async ({ session }) => {
        await session.keys.put({ ...bucket, key }, bytes, hexEtag)
        return nothing
      }),
    get: (key) => answered(async ({ session }) => collect((await session.keys.get({ ...bucket, key })).body.bytes)),
    async breakOff(key, bytes) {
      const open = await connected()
      connection = undefined
      async function* half(): AsyncGenerator<Uint8Array> {
        yield bytes.subarray(0, bytes.length / 2)
        open.close()
      }
      await open.session.keys.put({ ...bucket, key }, half(), hexEtag).then(
        () => expect.unreachable('half a body was stored'),
        () => undefined,
      )
    },
    oversized: () =>
      answered(async ({ session }) => {
        await session.buckets.update(bucket, { tags: { t: 'x'.repeat(5_000_000) } })
        return nothing
      }),
    async close() {
      if (connection !== undefined) (await connection).close()
    },
  }
}

pluginContract('native', {
  plugin,
  config: { port: 0 },
  client: ([mount], credential) => client(mount?.host ?? '', mount?.port ?? 0, credential),
})

describe('a connection', () => {
  let reference: ReturnType<typeof newStore>
  let served: Served
  beforeEach(async () => {
    reference = newStore()
    served = await serve(reference)
  })
  afterEach(() => served.stop())

  const refused = (action: Promise<unknown>): Promise<unknown> =>
    action.then(
      () => 'answered',
      (error: unknown) => (isStoreError(error) ? error.code : error),
    )

  test('is bound to the user of its key', async () => {
    const root = await served.connect(...adminKey)
    expect(root.session.principal).toEqual({ user: 'admin', admin: true })
    await root.session.identities.createUser('alice')
    const { id, secret } = await root.session.identities.createAccessKey('alice')
    const alice = await served.connect(id, secret)
    expect(alice.session.principal).toEqual({ user: 'alice', admin: false })
    expect(await refused(alice.session.volumes.create('mine'))).toBe('AccessDenied')
    alice.close()
    root.close()
  })

  test.each([
    ['a wrong secret', 'admin-key', 'guessed'],
    ['no secret', 'admin-key', ''],
    ['an unknown key', 'nobody', 'admin-secret'],
  ])('with %s is refused', async (_, key, secret) => {
    expect(await refused(served.connect(key, secret))).toBe('Unauthenticated')
  })

  test('whose key is disabled, gets another secret or is deleted is refused with the next call', async () => {
    const root = await served.connect(...adminKey)
    const { identities } = root.session
    await identities.createUser('alice')
    const given = { id: 'alices-key', secret: 'alices-secret' }
    await identities.createAccessKey('alice', given)
    const alice = await served.connect(given.id, given.secret)
    const ask = (): Promise<unknown> => refused(alice.session.volumes.list({ limit: 1 }))
    expect(await ask()).toBe('answered')
    await identities.updateAccessKey(given.id, { enabled: false })
    expect(await ask()).toBe('Unauthenticated')
    await identities.updateAccessKey(given.id, { enabled: true })
    expect(await ask()).toBe('answered')
    await identities.updateUser('alice', { enabled: false })
    expect(await ask()).toBe('Unauthenticated')
    await identities.updateUser('alice', { enabled: true })
    await identities.deleteAccessKey(given.id)
    await identities.createAccessKey('alice', { ...given, secret: 'another-secret' })
    expect(await ask()).toBe('Unauthenticated')
    alice.close()
    root.close()
  })
})

describe('bytes', () => {
  test('of a get that is left early stop, and the connection serves on', async () => {
    const reference = newStore()
    const served = await serve(reference)
    const { session, close } = await served.connect(...adminKey)
    await session.buckets.create(bucket)
    const ref = { ...bucket, key: 'large' }
    const bytes = pattern(5_000_000)
    await session.keys.put(ref, bytes, hexEtag)
    const { body } = await session.keys.get(ref)
    for await (const piece of body.bytes as AsyncIterable<Uint8Array>) {
      expect(piece.length).toBeGreaterThan(0)
      break
    }
    expect(Buffer.compare(await collect((await session.keys.get(ref)).body.bytes), bytes)).toBe(0)
    close()
    await served.stop()
  })

  test('are asked for no faster than they are taken', async () => {
    const reference = newStore()
    let asked = 0
    const endless: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({ next: async () => ({ done: false, value: pattern((asked += 1) && 100_000) }) }),
    }
    const stalled = Promise.withResolvers<never>()
    let reading = false
    const store = {
      session: () => ({
        principal: { user: 'admin', admin: true },
        keys: {
          async put(_: unknown, body: AsyncIterable<Uint8Array>) {
            await body[Symbol.asyncIterator]().next()
            reading = true
            return stalled.promise
          },
        },
      }),
    } as unknown as typeof reference.store
    const served = await serve({ store, identities: reference.identities })
    const { session, close } = await served.connect(...adminKey)
    const abort = new AbortController()
    const put = refusedWith(session.keys.put({ ...bucket, key: 'k' }, endless, { ...hexEtag, signal: abort.signal }))
    await until('the store holds the body', () => reading)
    // Some windows and socket buffers are filled, then nobody asks any more.
    let before = -1
    await until('the source is no longer asked', async () => {
      const still = asked === before
      before = asked
      await served.env.clock.sleep(50)
      return still && asked === before
    })
    expect(asked * 100_000).toBeLessThan(16 * 1024 * 1024)
    abort.abort()
    expect(await put).toBe('Aborted')
    stalled.reject(new Error('over'))
    stalled.promise.catch(() => undefined)
    close()
    await served.stop()
  })
})

async function refusedWith(action: Promise<unknown>): Promise<unknown> {
  return action.then(
    () => 'answered',
    (error: unknown) => (isStoreError(error) ? error.code : error),
  )
}
