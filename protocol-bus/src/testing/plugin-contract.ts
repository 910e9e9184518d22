/**
 * What every front end does, whatever its protocol. An author hands in the plugin and a client of it; the suite runs
 * both over real sockets.
 */

import { nodeEnv } from '@o3/common/env/node'
import { StoreError, storeErrorCodes } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Credential, O3Store } from '../api/api.ts'
import { startHost } from '../host/host.ts'
import type { AnyPlugin, OpenMount, PluginHost } from '../host/host.ts'
import { pattern } from './contract/fixture.ts'
import { failingStore } from './failing-store.ts'
import { observedStore } from './observed-store.ts'
import { referenceStore } from './reference-store.ts'
import type { ReferenceStore } from './reference-store.ts'

export interface PluginAnswer {
  /** The request did what it asked for. */
  readonly ok: boolean
  /** The body, of an error too. */
  readonly bytes: Uint8Array
}

/** Speaks the front end's protocol. Each call is one request; a connection that breaks is a rejection. */
export interface PluginClient {
  /** The bytes become the key, in the bucket `photos` of the volume `s3v`. */
  put(key: string, bytes: Uint8Array): Promise<PluginAnswer>
  get(key: string): Promise<PluginAnswer>
  /** Starts to put these bytes, sends about half of them, and goes away. */
  breakOff(key: string, bytes: Uint8Array): Promise<void>
  /** A request that no front end should take in whole: a document, a header, a frame beyond its bound. */
  oversized(): Promise<PluginAnswer>
  /** Nothing of the client stays open. */
  close(): Promise<void>
}

export interface PluginUnderTest {
  readonly plugin: AnyPlugin
  /** Listens on port 0 of 127.0.0.1. */
  readonly config: Readonly<Record<string, unknown>>
  readonly client: (mounts: readonly OpenMount[], credential: Credential) => PluginClient
}

const bucket = { volume: 's3v', bucket: 'photos' } as const
const credential: Credential = {
  accessKeyId: 'O3CONTRACTKEY',
  secret: 'a-secret-of-the-contract-suite',
  principal: { user: 'admin', admin: true },
}
/** Would only be seen by somebody who prints what an error has in its inside. */
const inside = 'CAUSE-OF-THE-ERROR'
const deadlineMs = 10_000

export function pluginContract(name: string, given: PluginUnderTest): void {
  describe(`${name} is a front end`, () => {
    const env = nodeEnv()
    let running: { readonly host: PluginHost; readonly client: PluginClient } | undefined
    let reference: ReferenceStore

    beforeEach(async () => {
      const { user, admin } = { ...credential.principal }
      reference = referenceStore({ ...env, users: [{ user, admin, ...credential }] })
      await reference.store.session(credential.principal).buckets.create(bucket)
    })
    afterEach(() => stop())

    async function start(store: O3Store = reference.store): Promise<PluginClient> {
      const services = { ...env, store, identities: reference.identities, log: nullLogger, metrics: createMetrics() }
      const host = await startHost({ env, services, plugins: [{ plugin: given.plugin, config: given.config }] })
      const client = given.client(host.mounts, credential)
      running = { host, client }
      return client
    }

    async function stop(): Promise<void> {
      const { host, client } = running ?? {}
      running = undefined
      await client?.close()
      await host?.stop(1000)
    }

    /** Waits for what must come to be; fails when it does not. */
    async function eventually(what: string, isSo: () => boolean): Promise<void> {
      const endMs = env.clock.monotonicMs() + deadlineMs
      while (!isSo()) {
        if (env.clock.monotonicMs() > endMs) expect.unreachable(`still not so: ${what}`)
        await env.clock.sleep(5)
      }
    }

    const isStored = async (key: string): Promise<boolean> => {
      const page = await reference.store.session(credential.principal).keys.list(bucket, { limit: 1000 })
      return page.items.some((entry) => entry.kind === 'key' && entry.key.name === key)
    }

    test.each([0, 1, 5000, 300_000, 3_000_000])('%d bytes go in and come out', async (size) => {
      const client = await start()
      const bytes = pattern(size)
      expect(await client.put('k', bytes)).toMatchObject({ ok: true })
      const answer = await client.get('k')
      expect(answer.ok).toBe(true)
      expect(Buffer.compare(answer.bytes, bytes)).toBe(0)
      expect(await client.get('none')).toMatchObject({ ok: false })
    })

    test('starts and stops twice, leaves no handle, and refuses once it is closed', async () => {
      const before = handles()
      for (const key of ['one', 'two']) {
        const client = await start()
        expect(await client.put(key, pattern(10))).toMatchObject({ ok: true })
        await running!.host.stop(1000)
        const afterwards = await client.get(key).catch(() => ({ ok: false }))
        expect(afterwards.ok).toBe(false)
        await stop()
      }
      await eventually('as many handles as before', () => handles() <= before)
    })

    test('stores nothing of a body that breaks off, and goes on', async () => {
      const { store, puts } = observedStore(reference.store)
      const client = await start(store)
      await client.breakOff('half', pattern(2_000_000))
      expect(await client.put('whole', pattern(10))).toMatchObject({ ok: true })
      await eventually('every put has ended', () => puts.every(({ outcome }) => outcome !== undefined))
      expect(puts.find(({ key }) => key === 'half')?.outcome ?? 'failed').toBe('failed')
      expect(await isStored('half')).toBe(false)
    })

    test('lets go of a body that is being received when it stops', async () => {
      const { store, puts } = observedStore(reference.store)
      const client = await start(store)
      const broken = client.breakOff('half', pattern(2_000_000))
      await running!.host.stop(0)
      // The client may find its connection cut before it has sent its half.
      await broken.catch(() => undefined)
      await eventually('every put has ended', () => puts.every(({ outcome }) => outcome !== undefined))
      expect(await isStored('half')).toBe(false)
    })

    test('refuses what is beyond its bounds, and goes on', async () => {
      const client = await start()
      expect(await client.oversized()).toMatchObject({ ok: false })
      expect(await client.put('k', pattern(10))).toMatchObject({ ok: true })
    })

    test.each(storeErrorCodes)('has an answer for %s that tells nothing of its inside', async (code) => {
      const cause = new Error(inside)
      const client = await start(failingStore(() => new StoreError(code, `${code} happened`, { cause })))
      for (const answer of [await client.get('k'), await client.put('k', pattern(10))]) {
        expect(answer.ok).toBe(false)
        expect(Buffer.from(answer.bytes).toString('latin1')).not.toContain(inside)
      }
    })

    test('hides what was thrown by a bug', async () => {
      const client = await start(failingStore(() => new Error(inside) as StoreError))
      const answer = await client.get('k')
      expect(answer.ok).toBe(false)
      expect(Buffer.from(answer.bytes).toString('latin1')).not.toContain(inside)
    })

    test('refuses configuration that it does not know, before it listens', () => {
      expect(() => given.plugin.config({ ...given.config, port: 'no port' })).toThrow(StoreError)
    })
  })
}

/** Sockets and servers that keep the process alive. */
function handles(): number {
  return process.getActiveResourcesInfo().filter((kind) => /^(TCP|Pipe|TLS)/.test(kind)).length
}
