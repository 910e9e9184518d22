import { describe, expect, test } from 'vitest'
import { SimRandom } from '../../src/env/sim/sim-random.ts'
import { kvContract } from '../../src/kv/contract.ts'
import { MemoryKv } from '../../src/kv/memory-kv.ts'

kvContract('memory', () => {
  const store = new MemoryKv()
  return Promise.resolve({
    store,
    reopen: () => Promise.resolve(store.reopen()),
    discard: () => Promise.resolve(),
  })
})

describe('the memory engine after a crash', () => {
  const value = Uint8Array.of(1)
  const put = (key: string) => ({ kind: 'put', key, value }) as const

  async function crashed(seed: number): Promise<string> {
    const store = new MemoryKv()
    await store.write([put('a')])
    await store.checkpoint()
    await store.write([put('b'), put('c')])
    await store.write([put('d'), { kind: 'delete', key: 'a' }])
    const survivor = store.crash(new SimRandom(seed))
    await expect(store.get('a')).rejects.toMatchObject({ code: 'Closed' })
    const entries = await survivor.cursor({ from: '', to: 'z' }).next(9)
    return entries.map((entry) => entry.key).join('')
  }

  test('holds the checkpoint and any subset of the later batches, each whole or absent', async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 60; seed++) seen.add(await crashed(seed))
    // Checkpoint {a}; later {+b +c} and {+d -a}: four states, and the third of them lost the earlier batch.
    expect([...seen].toSorted()).toEqual(['a', 'abc', 'bcd', 'd'])
  })

  test('what survived one crash survives the next', async () => {
    const store = new MemoryKv()
    await store.write([put('a')])
    const random = new SimRandom(1)
    const first = store.crash(random)
    const kept = await first.get('a')
    for (let i = 0; i < 10; i++) expect(await first.reopen().crash(random).get('a')).toEqual(kept)
  })

  test('an orderly restart makes nothing durable', async () => {
    const lost = new Set<boolean>()
    for (let seed = 0; seed < 20; seed++) {
      const store = new MemoryKv()
      await store.write([put('a')])
      const survivor = store.reopen().crash(new SimRandom(seed))
      lost.add((await survivor.get('a')) === undefined)
    }
    expect(lost).toEqual(new Set([true, false]))
  })
})

test('a large store keeps its snapshots cheap and right', async () => {
  const store = new MemoryKv()
  const keyOf = (i: number): string => `key-${String((i * 7919) % 100_000).padStart(6, '0')}`
  for (let i = 0; i < 100_000; i += 100) {
    await store.write(
      Array.from({ length: 100 }, (_, k) => ({ kind: 'put', key: keyOf(i + k), value: new Uint8Array(1) })),
    )
  }
  const snapshot = store.snapshot()
  for (let i = 0; i < 2_000; i++) await store.write([{ kind: 'delete', key: keyOf(i) }])
  const count = async (reader: Pick<MemoryKv, 'cursor'>): Promise<number> => {
    const cursor = reader.cursor({ from: 'key', to: 'kez' })
    let total = 0
    for (let page = await cursor.next(1000); page.length > 0; page = await cursor.next(1000)) total += page.length
    return total
  }
  expect(await count(snapshot)).toBe(100_000)
  expect(await count(store)).toBe(98_000)
})
