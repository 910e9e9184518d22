import type { Row, StateView, Table } from '@o3/ratis/api'
import { expect, test } from 'vitest'

import { blockReferences, deletedBlocks, queueEnds } from '../../src/core/rows/block.ts'
import { buckets, bucketUsage } from '../../src/core/rows/bucket.ts'
import { changeLeaf, entries } from '../../src/core/rows/entry.ts'
import type { DirectoryRow, LeafRow } from '../../src/core/rows/entry.ts'
import { leases } from '../../src/core/rows/lease.ts'
import { completedUploads, parts, uploadProgress, uploads } from '../../src/core/rows/upload.ts'
import { accessKeys, owners, users } from '../../src/core/rows/user.ts'
import { volumes, volumeUsage } from '../../src/core/rows/volume.ts'
import { auditStore } from '../../src/storage/audit-store.ts'
import {
  attributesWith,
  commitBlocks,
  commitInline,
  extent,
  grantLease,
  keyRef,
  prepare,
  updateIdOf,
  uploadIdOf,
} from '../fixtures/commands.ts'
import { PureOm } from '../fixtures/pure-om.ts'

/** A namespace with a little of everything. */
function everything(): PureOm {
  const om = new PureOm()
  prepare(om)
  om.do({ kind: 'create-user', user: 'ann', admin: true })
  om.do({ kind: 'create-access-key', id: 'AK1', user: 'ann', sealedSecret: new Uint8Array([1]) })
  const lease = grantLease(om, 1, 9)
  om.do(commitInline('a/b/c', [1, 2]))
  const sourceUpdateId = updateIdOf(om.do(commitBlocks('blocks', lease, [extent(1, 1, 5), extent(1, 2, 5)])))
  const content = { kind: 'copy', source: keyRef('blocks'), sourceUpdateId } as const
  om.do({ ...commitInline('copy', []), size: 10, content })
  om.do(commitBlocks('gone', lease, [extent(1, 3, 5)]))
  om.do({ kind: 'delete-key', ...keyRef('gone'), preconditions: {} })
  const { etag: _, ...attributes } = attributesWith('')
  const start = { kind: 'create-upload', ...keyRef('up'), owner: 'ann', attributes } as const
  const part = { kind: 'commit-part', ...keyRef('up'), number: 1, size: 1, etag: 'p' } as const
  const inline = { kind: 'inline', bytes: new Uint8Array([7]) } as const
  const done = uploadIdOf(om.do(start))
  om.do({ ...part, upload: done, content: inline })
  const named = { parts: [{ number: 1, etag: 'p' }], etag: 'w', preconditions: {}, minPartBytes: 0 } as const
  om.do({ kind: 'complete-upload', ...keyRef('up'), upload: done, ...named })
  om.do({ ...part, upload: uploadIdOf(om.do(start)), content: inline })
  return om
}

type AnyTable = Table<unknown, unknown>
type AnyRow = Row<unknown, unknown>

/** The audit of a store in which one table was tampered with. */
function auditOf<Key, Value>(
  table: Table<Key, Value>,
  tamper: (rows: readonly Row<Key, Value>[]) => readonly Row<Key, Value>[],
): Promise<readonly string[]> {
  return everything().store.read((view) => {
    const tampered: StateView = {
      ...view,
      cursor: (other, range) => {
        const cursor = view.cursor(other, range)
        if ((other as unknown as AnyTable) !== (table as unknown as AnyTable)) return cursor
        let read = false
        const next = async (limit: number): Promise<readonly AnyRow[]> => {
          if (read) return []
          read = true
          return tamper((await cursor.next(limit)) as unknown as readonly Row<Key, Value>[])
        }
        return { ...cursor, next, seek: () => {}, close: () => cursor.close() } as typeof cursor
      },
    }
    return auditStore(tampered)
  })
}

const none = (): [] => []
const first =
  <Key, Value>(change: (value: Value) => Value) =>
  (rows: readonly Row<Key, Value>[]): Row<Key, Value>[] =>
    rows.map((row, i) => (i === 0 ? { ...row, value: change(row.value) } : row))

test('a healthy store is found healthy', async () => {
  expect(await everything().om.audit()).toEqual([])
})

const onDirectory =
  (change: (row: DirectoryRow) => DirectoryRow) =>
  <Key, Value>(rows: readonly Row<Key, Value>[]): Row<Key, Value>[] =>
    rows.map((row) => {
      const value = row.value as DirectoryRow
      return value.kind === 'directory' ? { ...row, value: change(value) as Value } : row
    })

const onLeaf =
  (name: string, change: (row: LeafRow) => LeafRow) =>
  <Key, Value>(rows: readonly Row<Key, Value>[]): Row<Key, Value>[] =>
    rows.map((row) => {
      const isIt = (row.key as { name: string }).name === name
      return isIt ? { ...row, value: change(row.value as LeafRow) as Value } : row
    })

test.each<[string, () => Promise<readonly string[]>, RegExp]>([
  [
    'bytes of a bucket',
    () =>
      auditOf(
        bucketUsage,
        first((row) => ({ ...row, bytes: 1 })),
      ),
    /bucket vol\/bucket counts 1 bytes/,
  ],
  [
    'keys of a bucket',
    () =>
      auditOf(
        bucketUsage,
        first((row) => ({ ...row, keys: 9 })),
      ),
    /bucket vol\/bucket counts 9 keys/,
  ],
  [
    'uploads of a bucket',
    () =>
      auditOf(
        bucketUsage,
        first((row) => ({ ...row, uploads: 0 })),
      ),
    /counts 0 uploads and has 1/,
  ],
  ['the counters of a bucket that is gone', () => auditOf(buckets, none), /bucket \d+ is gone/],
  ['a bucket without counters', () => auditOf(bucketUsage, none), /counts no bytes/],
  [
    'bytes of a volume',
    () =>
      auditOf(
        volumeUsage,
        first((row) => ({ ...row, bytes: 0 })),
      ),
    /volume vol counts 0 bytes/,
  ],
  [
    'buckets of a volume',
    () =>
      auditOf(
        volumeUsage,
        first((row) => ({ ...row, buckets: 0 })),
      ),
    /volume vol counts 0 buckets/,
  ],
  ['a volume that is gone', () => auditOf(volumes, none), /volume vol is gone/],
  [
    'what an owner owns',
    () =>
      auditOf(
        owners,
        first(() => 7),
      ),
    /an owner owns 2, and the row of ann says 7/,
  ],
  [
    'children of a directory',
    () =>
      auditOf(
        entries,
        onDirectory((row) => ({ ...row, childCount: 3 })),
      ),
    /counts 3 children and has 1/,
  ],
  [
    'a directory without children',
    () => auditOf(entries, (rows) => rows.filter(({ key }) => key.name !== 'c')),
    /is there without a child/,
  ],
  [
    'entries without a directory',
    () => auditOf(entries, (rows) => rows.filter(({ key }) => key.name !== 'b/')),
    /directory that is not there/,
  ],
  [
    'two directories of one id',
    () =>
      auditOf(
        entries,
        onDirectory((row) => ({ ...row, id: 1 })),
      ),
    /the id of another directory/,
  ],
  [
    'a directory of the future',
    () =>
      auditOf(
        bucketUsage,
        first((row) => ({ ...row, nextDirectory: 1 })),
      ),
    /an id of the future/,
  ],
  [
    'names that are too long',
    () =>
      auditOf(
        entries,
        onDirectory((row) => ({ ...row, longestBelow: 0 })),
      ),
    /says that names below have 0 bytes/,
  ],
  [
    'a leaf named as a directory',
    () =>
      auditOf(entries, (rows) =>
        rows.map((row) => (row.key.name === 'c' ? { ...row, key: { ...row.key, name: 'c/' } } : row)),
      ),
    /a leaf is named "c\/"/,
  ],
  [
    'a size',
    () =>
      auditOf(
        entries,
        onLeaf('c', (row) => changeLeaf(row, { size: 9 })),
      ),
    /says 9 bytes and has 2/,
  ],
  ['a block of two keys', () => auditOf(blockReferences, none), /counts 1 segments and has 2/],
  ['references to nothing', () => auditOf(entries, none), /nobody's and has a reference row/],
  [
    'a key that does not know that it shares',
    () =>
      auditOf(
        entries,
        onLeaf('copy', (row) => changeLeaf(row, { shared: false })),
      ),
    /is shared, and an owner does not know/,
  ],
  [
    'a block that waits for deletion and is in use',
    () =>
      auditOf(
        deletedBlocks,
        first((row) => ({ ...row, ranges: [{ container: 1, firstLocal: 1, count: 1 }] })),
      ),
    /block 1\/1 of .* is waiting for deletion/,
  ],
  [
    'a block that is in use and not committed',
    () =>
      auditOf(
        leases,
        first((row) => ({ ...row, committed: new Uint8Array(2) })),
      ),
    /is not committed in lease/,
  ],
  [
    'a block with two fates',
    () =>
      auditOf(
        deletedBlocks,
        first((row) => ({ ...row, ranges: [{ container: 1, firstLocal: 3, count: 2 }] })),
      ),
    /block 1\/4 is (not committed|waiting)/,
  ],
  ['the ends of the queue', () => auditOf(queueEnds, none), /does not lie between its ends/],
  [
    'progress of an upload',
    () =>
      auditOf(
        uploadProgress,
        first((row) => ({ ...row, parts: new Uint8Array([4]) })),
      ),
    /does not have the parts/,
  ],
  ['parts of an upload that is gone', () => auditOf(uploads, none), /upload \w+ is gone/],
  ['parts that are gone', () => auditOf(parts, none), /does not have the parts/],
  ['completions that are not remembered', () => auditOf(completedUploads, none), /does not agree with its slots/],
  ['an access key of nobody', () => auditOf(users, none), /an access key is left/],
  ['an access key that is gone', () => auditOf(accessKeys, none), /names access key AK1 of somebody else/],
])('it finds: %s', async (_what, audit, finding) => {
  expect((await audit()).join('\n')).toMatch(finding)
})
