import type { RowCursor, StateView } from '@o3/ratis/api'
import { expect, test } from 'vitest'
import { listKeys } from '../../src/storage/list-keys.ts'
import { bucketIdOf } from '../../src/storage/lists.ts'
import { bucketRef, commitInline, prepare } from '../fixtures/commands.ts'
import { PureOm } from '../fixtures/pure-om.ts'

interface Cost {
  cursors: number
  rows: number
  gets: number
}

/** What a view was asked for. */
function counted(view: StateView, cost: Cost): StateView {
  return {
    appliedIndex: view.appliedIndex,
    get: (table, key) => {
      cost.gets++
      return view.get(table, key)
    },
    cursor: <Key, Value>(...asked: Parameters<typeof view.cursor<Key, Value>>): RowCursor<Key, Value> => {
      cost.cursors++
      const cursor = view.cursor(...asked)
      const next = async (limit: number) => {
        const rows = await cursor.next(limit)
        cost.rows += rows.length
        return rows
      }
      return { next, seek: (rowKey) => cursor.seek(rowKey), close: () => cursor.close() }
    },
  }
}

const everything = { prefix: '', delimiter: '', after: '', limit: 100 }

async function costOf(keys: readonly string[], query: Partial<typeof everything>) {
  const om = new PureOm()
  prepare(om)
  for (const key of keys) om.do(commitInline(key, []))
  return om.store.read(async (view) => {
    const cost = { cursors: 0, rows: 0, gets: 0 }
    const bucket = await bucketIdOf(view, bucketRef)
    const page = await listKeys(counted(view, cost), bucket, { ...everything, ...query })
    return { ...cost, listed: page.items.length, truncated: page.truncated }
  })
}

const numbered = (count: number, name: (n: string) => string): string[] =>
  Array.from({ length: count }, (_, i) => name(String(i).padStart(4, '0')))

test('a page of a flat bucket is one read of a row or two more', async () => {
  const keys = numbered(400, (n) => `key-${n}`)
  const page = { cursors: 1, rows: 102, gets: 0, listed: 100, truncated: true }
  expect(await costOf(keys, {})).toEqual(page)
  expect(await costOf(keys, { after: 'key-0200' })).toEqual(page)
})

test('a page of one directory does not read the others', async () => {
  const keys = [...numbered(100, (n) => `a/${n}`), ...numbered(100, (n) => `b/${n}`), ...numbered(100, (n) => `c/${n}`)]
  expect(await costOf(keys, { prefix: 'b/' })).toEqual({
    cursors: 1,
    rows: 100,
    gets: 1,
    listed: 100,
    truncated: false,
  })
})

test('common prefixes at slashes are shown without a look inside', async () => {
  const keys = numbered(20, (n) => `dir-${n}/`).flatMap((dir) => numbered(20, (n) => dir + n))
  const cost = { cursors: 1, rows: 20, gets: 0, listed: 20, truncated: false }
  expect(await costOf(keys, { delimiter: '/' })).toEqual(cost)
  // A marker inside a directory skips that directory, and is not looked for.
  const after = 'dir-0009/0010'
  const found = await costOf(keys, { delimiter: '/', after })
  expect(found).toMatchObject({ listed: 10, truncated: false })
  expect(found.rows).toBeLessThan(40)
})

test('common prefixes at another delimiter are jumped over, however many keys they cover', async () => {
  const group = (letter: string) => numbered(300, (n) => `${letter}-${n}`)
  const { rows, listed } = await costOf(['a', 'b', 'c', 'd'].flatMap(group), { delimiter: '-' })
  expect(listed).toBe(4)
  expect(rows).toBeLessThan(4 * 40)
})

test('a chain of large directories is not read whole', async () => {
  const keys = numbered(30, (n) => n).flatMap((_, depth) => {
    const path = 'd/'.repeat(depth)
    return numbered(60, (n) => `${path}z${n}`)
  })
  const { rows, listed } = await costOf(keys, { limit: 50 })
  expect(listed).toBe(50)
  expect(rows).toBeLessThan(50 * 2 + 30 * 17 + 51)
})
