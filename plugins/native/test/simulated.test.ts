/** The same over a simulated network, in virtual time: bodies both ways, deadlines, a server that goes away. */

import { Simulation } from '@o3/common/env/sim'
import { isStoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import type { O3Store } from '@o3/protocol-bus/api'
import { startHost } from '@o3/protocol-bus/host'
import { expect, test } from 'vitest'
import { connectNative } from '../src/client/client.ts'
import type { NativeConnection } from '../src/client/client.ts'
import { plugin } from '../src/plugin.ts'
import { collect, hexEtag, pattern } from './bytes.ts'
import { newStore } from './worlds.ts'

const bucket = { volume: 's3v', bucket: 'photos' } as const

const stopDeadlineMs = 1000

interface World {
  readonly stop: () => Promise<void>
  readonly nowMs: () => number
}

function simulated(
  main: (connection: NativeConnection, world: World) => Promise<void>,
  store?: O3Store,
): Promise<void> {
  const simulation = new Simulation({ seed: 'native' })
  const server = simulation.node('server').boot()
  const { clock, random, tasks } = server
  const client = simulation.node('client').boot()
  const reference = newStore()
  const behind = store === undefined ? reference : { ...reference, store }
  return simulation.run(async () => {
    const host = await startHost({
      env: server,
      services: { clock, random, tasks, ...behind, log: nullLogger, metrics: createMetrics() },
      plugins: [{ plugin, config: { host: 'server', port: 9862 } }],
    })
    const address = { kind: 'tcp', host: 'server', port: 9862 } as const
    const connection = await connectNative({
      env: client,
      address,
      accessKey: 'admin-key',
      secretKey: 'admin-secret',
      deadlineMs: 5000,
    })
    await main(connection, { stop: () => host.stop(stopDeadlineMs), nowMs: () => clock.monotonicMs() })
    connection.close()
    await host.stop(stopDeadlineMs)
  })
}

const codeOf = (error: unknown): unknown => (isStoreError(error) ? error.code : error)

test('a body goes in and comes out', () =>
  simulated(async ({ session }) => {
    await session.buckets.create(bucket)
    for (const size of [0, 10, 65_536, 65_537, 3_000_000]) {
      const ref = { ...bucket, key: `of ${size}` }
      await session.keys.put(ref, pattern(size), hexEtag)
      const { body, info } = await session.keys.get(ref)
      expect(info.size).toBe(size)
      expect(Buffer.compare(await collect(body.bytes), pattern(size))).toBe(0)
    }
  }))

test('a call that gets no answer ends at its deadline', () => {
  const never = new Promise<never>(() => undefined)
  const silent = { session: (principal: unknown) => ({ principal, volumes: { info: () => never } }) }
  return simulated(
    async ({ session }) => {
      expect(await session.volumes.info('s3v').catch(codeOf)).toBe('DeadlineExceeded')
    },
    silent as unknown as O3Store,
  )
})

test.each([
  ['shorter', 99_999],
  ['longer', 100_001],
])('an answer that is %s than it says is refused', (_, length) => {
  const info = { name: 'k', size: length, modifiedMs: 0, owner: '', updateId: 1, etag: '', headers: {}, metadata: {} }
  const body = { length, bytes: pattern(100_000) }
  const wrong = {
    session: (principal: unknown) => ({
      principal,
      keys: { get: async () => ({ info: { ...info, tags: {} }, start: 0, end: length, body }) },
    }),
  }
  return simulated(
    async ({ session }) => {
      const { body: received } = await session.keys.get({ ...bucket, key: 'k' })
      expect(await collect(received.bytes).catch(codeOf)).toBe('IncompleteBody')
    },
    wrong as unknown as O3Store,
  )
})

test('differences of snapshots come as a stream', () => {
  const found = Array.from({ length: 1000 }, (_, i) => ({ kind: 'renamed' as const, key: `k${i}`, to: `ü${i}` }))
  const differing = {
    session: (principal: unknown) => ({
      principal,
      snapshots: {
        async *diff() {
          yield* found
        },
      },
    }),
  }
  return simulated(
    async ({ session }) => {
      const received: unknown[] = []
      for await (const difference of session.snapshots.diff(bucket, 'a', 'b')) received.push(difference)
      expect(received).toEqual(found)
    },
    differing as unknown as O3Store,
  )
})

test('an idle connection does not hold up a stop', () =>
  simulated(async ({ session }, { stop, nowMs }) => {
    const beganMs = nowMs()
    await stop()
    expect(nowMs() - beganMs).toBeLessThan(stopDeadlineMs)
    expect(['Unavailable', 'OutcomeUnknown']).toContain(await session.volumes.info('s3v').catch(codeOf))
  }))
