import { expect, test } from 'vitest'
import { Simulation } from '@o3/common/env/sim'
import { MemoryKv } from '@o3/common/kv/memory'
import { KvFlusher } from '../../src/store/kv-flusher.ts'
import type { PatchRow } from '../../src/store/pending-entry.ts'
import { PacedKv } from '../../src/testing/paced-kv.ts'

const row = (rowKey: string, byte: number | undefined): PatchRow => ({
  rowKey,
  value: byte,
  bytes: byte === undefined ? undefined : Uint8Array.of(byte),
})

/** A flusher over a slow key-value store. */
function onFlusher(script: (flusher: KvFlusher, kv: MemoryKv, add: (...rows: PatchRow[]) => void) => Promise<void>) {
  const simulation = new Simulation({ seed: 1 })
  const env = simulation.node('one').boot()
  const kv = new MemoryKv()
  const flusher = new KvFlusher(env, {
    kv: new PacedKv(kv, { clock: env.clock, random: env.random, maxMs: 10 }),
    applied: { index: 0, term: 0, lastSequence: 0 },
    ready: Promise.resolve(),
    retryMs: 1000,
    hasSpace: () => Promise.resolve(true),
    revive: () => Promise.resolve(),
    onWritten: () => undefined,
    onFailure: (error) => simulation.fail('the flusher failed', error),
  })
  let index = 0
  const add = (...rows: PatchRow[]): void => {
    flusher.add(rows, { index: ++index, term: 1, lastSequence: index })
  }
  return simulation.run(async () => {
    await script(flusher, kv, add)
    await flusher.reached(index)
    expect(flusher.pendingBytes).toBe(0)
  })
}

test('merges what comes while a batch is written', () =>
  onFlusher(async (flusher, kv, add) => {
    for (let i = 0; i < 50; i++) add(row('hot', i), row(`cold ${i}`, i))
    await flusher.reached(1)
    expect(flusher.flushed.index).toBe(50)
    add(row('hot', 99), row('cold 0', undefined))
    add(row('hot', 100))
    await flusher.reached(52)
    expect(await kv.getMany(['hot', 'cold 0', 'cold 1'])).toEqual([Uint8Array.of(100), undefined, Uint8Array.of(1)])
  }))

test('a snapshot shows one applied index exactly', () =>
  onFlusher(async (flusher, _, add) => {
    const snapshots: Promise<void>[] = []
    for (let i = 1; i <= 30; i++) {
      add(row('a', i), row('b', i))
      const look = async () => {
        const { snapshot, index } = await flusher.snapshotFrom(i)
        expect(index).toBeGreaterThanOrEqual(i)
        expect((await snapshot.getMany(['a', 'b'])).map((bytes) => bytes?.[0])).toEqual([index, index])
        await snapshot.close()
      }
      snapshots.push(look())
      if (i % 7 === 0) await flusher.reached(i)
    }
    await Promise.all(snapshots)
  }))

test('has each row until the key-value store has it', () =>
  onFlusher(async (flusher, kv, add) => {
    add(row('a', 1), row('b', 1))
    const first = flusher.reached(1)
    await Promise.resolve()
    add(row('a', 2), row('c', undefined))
    expect(['a', 'b', 'c', 'd'].map((rowKey) => flusher.find(rowKey)?.value)).toEqual([2, 1, undefined, undefined])
    expect(flusher.find('c')).toMatchObject({ bytes: undefined })
    await first
    expect(flusher.find('b')).toBeUndefined()
    expect(await kv.get('b')).toEqual(Uint8Array.of(1))
    await flusher.below(0)
    expect(flusher.find('a')).toBeUndefined()
    expect(flusher.flushed.index).toBe(2)
  }))
