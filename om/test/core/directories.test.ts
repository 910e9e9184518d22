import { describe, expect, test } from 'vitest'
import { entries } from '../../src/core/rows/entry.ts'
import { completedUploads } from '../../src/core/rows/upload.ts'
import { recallCompletion, rememberCompletion, rememberedCompletions } from '../../src/core/completed-uploads.ts'
import { Draft } from '../../src/core/draft.ts'
import type { LeafRow } from '../../src/core/rows/entry.ts'
import { bucketRef, commitInline, keyRef, prepare } from '../fixtures/commands.ts'
import { PureOm } from '../fixtures/pure-om.ts'

function withKeys(...keys: readonly string[]): PureOm {
  const om = new PureOm()
  prepare(om)
  for (const key of keys) om.do(commitInline(key, [1]))
  return om
}

const rename = (key: string, to: string) => ({ kind: 'rename-key', ...keyRef(key), to, replace: true }) as const

async function names(om: PureOm): Promise<string[]> {
  const page = await om.om.listKeys({ ...bucketRef, prefix: '', delimiter: '', after: '', limit: 1000 })
  return page.items.flatMap((item) => (item.kind === 'key' ? [item.key.name] : []))
}

describe('a directory', () => {
  test.each([
    ['a', ['leaf a']],
    ['a/', ['directory a/', 'leaf ']],
    ['a//b', ['directory a/', 'directory /', 'leaf b']],
    ['/x', ['directory /', 'leaf x']],
    ['a/b/c', ['directory a/', 'directory b/', 'leaf c']],
  ])('is there for each slash: %s', (key, rows) => {
    const om = withKeys(key)
    expect(om.pure.rows(entries).map((row) => `${row.value.kind} ${row.key.name}`)).toEqual(rows)
  })

  test('goes with its last key', () => {
    const om = withKeys('a/b/c', 'a/d')
    om.do({ kind: 'delete-key', ...keyRef('a/b/c'), preconditions: {} })
    expect(om.pure.rows(entries).map(({ key }) => key.name)).toEqual(['a/', 'd'])
    om.do({ kind: 'delete-key', ...keyRef('a/d'), preconditions: {} })
    expect(om.pure.rows(entries)).toEqual([])
  })

  test('never gets the id of one that was there before', () => {
    const om = withKeys('a/b')
    const idOf = (): unknown =>
      om.pure.rows(entries).flatMap(({ value }) => (value.kind === 'directory' ? [value.id] : []))
    const before = idOf()
    om.do({ kind: 'delete-key', ...keyRef('a/b'), preconditions: {} })
    om.do(commitInline('a/b', [1]))
    expect(idOf()).not.toEqual(before)
  })

  test('is renamed in a handful of rows, whatever is in it', async () => {
    const small = withKeys('from/a')
    const large = withKeys(...Array.from({ length: 300 }, (_, i) => `from/x/y/${i}`))
    const changesOf = (om: PureOm): number => {
      const outcome = om.pure.plan(rename('from/', 'to/here/'))
      return outcome.kind === 'decision' ? outcome.changes.length : -1
    }
    expect(changesOf(large)).toBe(changesOf(small))
    expect(changesOf(large)).toBe(4)
    large.do(rename('from/', 'to/here/'))
    expect((await names(large)).every((name) => name.startsWith('to/here/x/y/'))).toBe(true)
    expect(await large.om.audit()).toEqual([])
  })

  test('may be renamed to what is as long as a key may be, and not a byte further', () => {
    const om = withKeys(`a/${'x'.repeat(1000)}`)
    expect(om.try(rename('a/', `${'b'.repeat(24)}/`))).toBe('KeyTooLong')
    expect(om.try(rename('a/', `${'b'.repeat(23)}/`))).toEqual({ kind: 'done' })
    expect(om.try(rename(`${'b'.repeat(23)}/`, `c/${'b'.repeat(22)}/`))).toBe('KeyTooLong')
  })
})

describe('the memory of completed uploads', () => {
  test('holds the last ten thousand', () => {
    const rows = new Map<string, unknown>()
    const view = {
      get: (table: { prefix: string; encodeKey(key: never): string }, key: unknown) =>
        rows.get(table.prefix + table.encodeKey(key as never)),
    } as never
    const complete = (n: number) => {
      const draft = new Draft(view, { wallMs: 0, sequence: n, nonce: '' })
      rememberCompletion(draft, uploadKey(n), named, made(n))
      for (const { table, key, value } of draft.decide({ kind: 'done' }).changes) {
        if (value === undefined) rows.delete(table.prefix + table.encodeKey(key))
        else rows.set(table.prefix + table.encodeKey(key), value)
      }
    }
    const uploadKey = (n: number) => ({ bucket: 1, key: 'k', upload: n.toString(16).padStart(46, '0') })
    const named = [{ number: 1, etag: 'p' }]
    const attributes = { etag: 'e', headers: {}, metadata: {}, tags: {} }
    const made = (n: number): LeafRow => ({
      kind: 'leaf',
      size: n,
      modifiedMs: 0,
      owner: '',
      updateId: n,
      attributes,
      shared: false,
      content: { kind: 'inline', bytes: new Uint8Array() },
      parts: undefined,
    })
    for (let n = 0; n <= rememberedCompletions; n++) complete(n)
    const draft = new Draft(view, { wallMs: 0, sequence: 0, nonce: '' })
    expect(recallCompletion(draft, uploadKey(0), named)).toBeUndefined()
    expect(recallCompletion(draft, uploadKey(1), named)).toMatchObject({ size: 1 })
    expect(recallCompletion(draft, uploadKey(rememberedCompletions), named)).toMatchObject({
      size: rememberedCompletions,
    })
    expect(recallCompletion(draft, uploadKey(1), [{ number: 1, etag: 'q' }])).toBeUndefined()
    expect([...rows.keys()].filter((rowKey) => rowKey.startsWith(completedUploads.prefix))).toHaveLength(
      rememberedCompletions,
    )
  })
})
