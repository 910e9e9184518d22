/** The whole store, its OM and its bytes asked over the wire, while SCM's secret keys come and go. */

import type { Clock } from '@o3/common/env'
import { Simulation } from '@o3/common/env/sim'
import type { O3Session } from '@o3/protocol-bus/api'
import { expect, test } from 'vitest'
import { openComposedStore } from './composed-store.ts'
import type { ComposedStore } from './composed-store.ts'
import { DistantOm, foreseeing } from './distant-om.ts'

const KiB = 1024
const secondMs = 1_000
const minuteMs = 60 * secondMs
const place = { volume: 'vol', bucket: 'bucket' }
const attributes = (etag: string) => ({ etag, headers: {}, metadata: {}, tags: {} })

interface Scene extends ComposedStore {
  readonly session: O3Session
  readonly clock: Clock
}

/** A key signs for a minute, and all tokens are short. */
function withRotation(script: (scene: Scene) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 'rotation' })
  return simulation.run(async () => {
    const node = simulation.node('server')
    const env = node.boot()
    const composed = await openComposedStore({
      env,
      openKv: (path) => node.openKv(path),
      away: (om) => new DistantOm(om, env.random),
      wire: { host: 'server', caller: simulation.node('gateway').boot() },
      om: { leaseDurationMs: 20 * secondMs, readTokenMs: 20 * secondMs },
      scm: { secretKeyPeriodMs: minuteMs, secretKeyLeadMs: 15 * secondMs },
      chunkSizeBytes: 16 * KiB,
      store: { blockBytes: 64 * KiB, leaseBlocks: 8 },
      hashInline: true,
    })
    const session = foreseeing(composed).session({ user: 'root', admin: true })
    await session.volumes.create('vol', { owner: 'root' })
    await session.buckets.create(place)
    await script({ ...composed, session, clock: env.clock })
    expect(await composed.audit()).toEqual([])
    await composed.close()
  })
}

async function put(session: O3Session, key: string, bytes: Uint8Array): Promise<void> {
  const finish = () => attributes(`e${bytes.length}`)
  await session.keys.put({ ...place, key }, bytes, { digests: [], preconditions: {}, finish })
}

async function get(session: O3Session, key: string, pause: () => Promise<void> = async () => {}): Promise<number> {
  const { body } = await session.keys.get({ ...place, key })
  if (body.bytes instanceof Uint8Array) return body.bytes.length
  let length = 0
  for await (const piece of body.bytes) {
    length += piece.length
    await pause()
  }
  return length
}

test(
  'no request is refused or fails while ten keys follow one another',
  () =>
    withRotation(async ({ session, clock, scm }) => {
      const start = clock.monotonicMs()
      const seen = new Set<number>()
      let requests = 0
      while (clock.monotonicMs() < start + 10 * minuteMs) {
        const at = `k${requests++}`
        const sizes = [100, 10 * KiB, 200 * KiB]
        await Promise.all(sizes.map((size) => put(session, `${at}/${size}`, new Uint8Array(size).fill(size))))
        for (const size of sizes) expect(await get(session, `${at}/${size}`)).toBe(size)
        expect(await get(session, `k${Math.floor(requests / 2)}/${200 * KiB}`)).toBe(200 * KiB)
        for (const { id } of (await scm.secretKeys()).keys) seen.add(id)
        await clock.sleep(700)
      }
      expect(seen.size).toBeGreaterThanOrEqual(11)
      expect(requests).toBeGreaterThan(200)
    }),
  120_000,
)

test(
  'a reader who takes minutes, and a writer who does, outlive their tokens and keys',
  () =>
    withRotation(async ({ session, clock }) => {
      const size = 512 * KiB
      async function* slowly(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < size; at += 8 * KiB) {
          yield new Uint8Array(8 * KiB)
          // A minute and a half in all: proofs are believed for two after their key has stopped to sign.
          await clock.sleep(1_400)
        }
      }
      const finish = () => attributes('slow')
      await session.keys.put({ ...place, key: 'slow' }, slowly(), { digests: [], preconditions: {}, finish })
      expect(await get(session, 'slow', () => clock.sleep(30 * secondMs))).toBe(size)
    }),
  120_000,
)

test('who has no token reads and writes nothing', () =>
  withRotation(async ({ session, datanode, scm }) => {
    await put(session, 'k', new Uint8Array(10 * KiB))
    const [container] = await scm.listContainers({ limit: 1 })
    const block = { container: container?.id ?? 0, local: 1 }
    const denied = expect.objectContaining({ code: 'AccessDenied' }) as Error
    await expect(datanode?.readSmall(block, { offset: 0, length: 10 })).rejects.toThrow(denied)
    await expect(datanode?.writeBlock({ ...block, local: 60_000 }, [new Uint8Array(5)])).rejects.toThrow(denied)
    await expect(datanode?.deleteContainer(block.container)).rejects.toThrow(denied)
    expect(await get(session, 'k')).toBe(10 * KiB)
  }))
