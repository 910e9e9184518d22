import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { kvContract } from '../../src/kv/contract.ts'
import type { KvStore } from '../../src/kv/kv.ts'
import { openLevelKv } from '../../src/kv/level-kv.ts'

kvContract('LevelDB', async () => {
  const path = await mkdtemp(join(tmpdir(), 'o3-kv-'))
  const opened = [await openLevelKv(path)]
  return {
    store: opened[0]!,
    reopen: async () => {
      const store = await openLevelKv(path)
      opened.push(store)
      return store
    },
    discard: async () => {
      for (const store of opened) await store.close()
      await rm(path, { recursive: true })
    },
  }
})

describe('the LevelDB engine', () => {
  let path: string
  let store: KvStore
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'o3-kv-'))
    store = await openLevelKv(path)
  })
  afterEach(async () => {
    await store.close()
    await rm(path, { recursive: true })
  })

  const bytes = (text: string): Buffer => Buffer.from(text)

  /** The directory as a power cut would leave it that took all that was only in logs. */
  async function withoutLogs(): Promise<string> {
    const copy = await mkdtemp(join(tmpdir(), 'o3-kv-'))
    await cp(path, copy, { recursive: true })
    for (const name of await readdir(copy)) {
      if (name.endsWith('.log') || name === 'LOCK') await rm(join(copy, name))
    }
    return copy
  }

  test('a checkpoint needs no log: what was written before is in tables', async () => {
    for (let i = 0; i < 50; i++) await store.write([{ kind: 'put', key: `k${i}`, value: bytes(`v${i}`) }])
    await store.checkpoint()
    await store.write([{ kind: 'put', key: 'later', value: bytes('lost') }])
    const copy = await withoutLogs()
    const survivor = await openLevelKv(copy)
    try {
      const values = await survivor.getMany(['k0', 'k49', 'later'])
      expect(values.map((value) => value && Buffer.from(value).toString())).toEqual(['v0', 'v49', undefined])
    } finally {
      await survivor.close()
      await rm(copy, { recursive: true })
    }
  })

  test('a checkpoint covers the writes that were called before it and not awaited', async () => {
    const writes = Array.from({ length: 300 }, (_, i) =>
      store.write([{ kind: 'put', key: `k${i}`, value: bytes('x'.repeat(1000)) }]),
    )
    await store.checkpoint()
    const copy = await withoutLogs()
    await Promise.all(writes)
    const survivor = await openLevelKv(copy)
    try {
      expect(await survivor.get('k299')).toBeDefined()
    } finally {
      await survivor.close()
      await rm(copy, { recursive: true })
    }
  })

  test('checkpoints at the same time are all true', async () => {
    await store.write([{ kind: 'put', key: 'a', value: Buffer.alloc(1_000_000) }])
    const first = store.checkpoint()
    await store.checkpoint()
    const copy = await withoutLogs()
    await first
    const survivor = await openLevelKv(copy)
    try {
      expect(await survivor.get('a')).toBeDefined()
    } finally {
      await survivor.close()
      await rm(copy, { recursive: true })
    }
  })

  test('a flipped bit in a table is Damaged, never another value', async () => {
    const value = Buffer.alloc(5000, 'abcdefgh-12345678')
    await store.write([{ kind: 'put', key: 'precious', value }])
    await store.close()
    await (await openLevelKv(path)).close() // moves the log into a table
    const table = (await readdir(path)).find((name) => name.endsWith('.ldb'))!
    const content = await readFile(join(path, table))
    content[30] = content[30]! ^ 1
    await writeFile(join(path, table), content)
    store = await openLevelKv(path)
    await expect(store.get('precious')).rejects.toMatchObject({ code: 'Damaged' })
  })

  test('a second opener is told Busy', async () => {
    await expect(openLevelKv(path)).rejects.toMatchObject({ code: 'Busy' })
  })

  test('a directory that is no LevelDB any more is Damaged', async () => {
    await store.close()
    await writeFile(join(path, 'CURRENT'), 'nonsense')
    await expect(openLevelKv(path)).rejects.toMatchObject({ code: 'Damaged' })
  })

  /** LevelDB numbers its files: something else stands where its next tables should be. */
  async function inTheWayOfTables(put: (path: string) => Promise<unknown>): Promise<void> {
    const numbers = (await readdir(path)).map((name) => Number(/^(\d+)/.exec(name)?.[1] ?? 0))
    for (let i = 1; i < 10; i++) await put(join(path, `${String(Math.max(...numbers) + i).padStart(6, '0')}.ldb`))
  }

  async function expectReadOnly(code: string): Promise<void> {
    await expect(store.checkpoint()).rejects.toMatchObject({ code })
    await expect(store.checkpoint()).rejects.toMatchObject({ code })
    await expect(store.write([{ kind: 'put', key: 'b', value: bytes('2') }])).rejects.toMatchObject({ code })
    expect(await store.get('a')).toBeDefined()
  }

  test('after a checkpoint that failed it only reads', async () => {
    await store.write([{ kind: 'put', key: 'a', value: bytes('1') }])
    await inTheWayOfTables((table) => mkdir(table))
    await expectReadOnly('VolumeFailed')
  })

  test.runIf(existsSync('/dev/full'))('a checkpoint that finds no room says so, and loses nothing', async () => {
    await store.write([{ kind: 'put', key: 'a', value: bytes('1') }])
    await inTheWayOfTables((table) => symlink('/dev/full', table))
    await expectReadOnly('OutOfSpace')
    await store.close()
    for (const name of await readdir(path)) if (name.endsWith('.ldb')) await rm(join(path, name), { force: true })
    store = await openLevelKv(path)
    expect(await store.get('a')).toEqual(bytes('1'))
    expect(await store.get('b')).toBeUndefined()
    await store.write([{ kind: 'put', key: 'b', value: bytes('2') }])
    await store.checkpoint()
  })
})
