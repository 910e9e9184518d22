import { StoreError } from '@o3/common/errors'
import type { Table } from '@o3/ratis/api'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { OmReply } from '../../src/api/api.ts'
import { decodeReply, encodeReply } from '../../src/core/reply.ts'
import { blockReferences, deletedBlocks, queueEnds } from '../../src/core/rows/block.ts'
import { buckets, bucketUsage } from '../../src/core/rows/bucket.ts'
import { changeLeaf, entries } from '../../src/core/rows/entry.ts'
import type { LeafRow } from '../../src/core/rows/entry.ts'
import { leases } from '../../src/core/rows/lease.ts'
import {
  completedSlots,
  completedUploads,
  parts,
  uploadProgress,
  uploads,
  uploadsFrom,
} from '../../src/core/rows/upload.ts'
import { accessKeys, owners, users } from '../../src/core/rows/user.ts'
import { volumes, volumeUsage } from '../../src/core/rows/volume.ts'
import { omTables } from '../../src/core/tables.ts'

const uploadId = '0000000000002a' + '0123456789abcdef'.repeat(2)
const checksum = { algorithm: 'crc64nvme', type: 'full-object', value: 'AAECAwQFBgc=' } as const
const texts = { headers: { 'cache-control': 'no-cache' }, metadata: { höhe: '3 m' }, tags: { __proto__x: '1', t: '' } }
const inline = { kind: 'inline', bytes: new Uint8Array([1, 2, 255]) } as const
const blocks = {
  kind: 'blocks',
  segments: [
    { kind: 'block', block: { container: 2 ** 40 + 1, local: 4_000_000_000 }, offset: 5, length: 2 ** 33 },
    { kind: 'inline', bytes: new Uint8Array([9]) },
  ],
} as const

const leaf: LeafRow = {
  kind: 'leaf',
  size: 2 ** 33 + 1,
  modifiedMs: 1_700_000_000_000,
  owner: 'ann',
  updateId: 300,
  attributes: { etag: 'abc-2', contentType: 'text/plain', checksum, ...texts },
  shared: true,
  content: blocks,
  parts: [
    { number: 1, size: 2 ** 33, checksum: 'c1' },
    { number: 10_000, size: 1 },
  ],
}
const small: LeafRow = changeLeaf(leaf, {
  size: 3,
  attributes: { etag: 'e', headers: {}, metadata: {}, tags: {} },
  shared: false,
  content: inline,
  parts: undefined,
})

interface Sample {
  readonly table: Table<unknown, unknown>
  readonly key: unknown
  readonly value: unknown
}

function sample<Key, Value>(table: Table<Key, Value>, key: Key, value: Value): Sample {
  return { table, key, value }
}

const samples: readonly Sample[] = [
  sample(volumes, 's3v', {
    owner: 'ann',
    createdMs: 1_700_000_000_000,
    modifiedMs: 1_700_000_000_001,
    quota: { bytes: 2 ** 50, buckets: 0 },
    members: { bob: 'create-bucket', cid: 'read' },
    metadata: { a: 'b' },
  }),
  sample(volumeUsage, 's3v', { bytes: 2 ** 52, keys: 3, buckets: 2 }),
  sample(
    buckets,
    { volume: 's3v', bucket: 'my.bucket-1' },
    {
      id: 7,
      owner: 'ann',
      createdMs: 1,
      modifiedMs: 2,
      replication: 'RATIS/ONE',
      quota: { keys: 5 },
      members: { bob: 'write' },
      tags: { t: 'ü' },
      metadata: {},
    },
  ),
  sample(bucketUsage, 7, { bytes: 1, keys: 2, uploads: 3, nextDirectory: 4 }),
  sample(
    entries,
    { bucket: 7, parent: 2 ** 33, name: 'dir\u00c3\u00a9/' },
    {
      kind: 'directory',
      id: 2 ** 34,
      childCount: 2,
      createdMs: 1,
      longestBelow: 1000,
    },
  ),
  sample(entries, { bucket: 7, parent: 0, name: '' }, small),
  sample(entries, { bucket: 7, parent: 0, name: 'leaf' }, leaf),
  sample(
    uploads,
    { bucket: 7, key: 'a\0b/\u00c3\u00a9', upload: uploadId },
    {
      owner: 'ann',
      initiatedMs: 5,
      attributes: { contentType: 'x/y', ...texts },
      checksum: { algorithm: 'sha256', type: 'composite' },
    },
  ),
  sample(
    uploads,
    { bucket: 8, key: 'k', upload: uploadId },
    {
      owner: 'ann',
      initiatedMs: 5,
      attributes: { headers: {}, metadata: {}, tags: {} },
      checksum: undefined,
    },
  ),
  sample(uploadProgress, uploadId, { bytes: 77, parts: new Uint8Array([0b110, 1]) }),
  sample(
    parts,
    { upload: uploadId, number: 10_000 },
    {
      size: 3,
      etag: 'p',
      modifiedMs: 9,
      checksum,
      shared: true,
      content: inline,
    },
  ),
  sample(completedUploads, uploadId, {
    bucket: 7,
    key: '\u00c3\u00a9',
    fingerprint: 2 ** 52 - 1,
    etag: 'e-2',
    modifiedMs: 1,
    updateId: 2,
    size: 3,
  }),
  sample(completedSlots, 9_999, uploadId),
  sample(users, 'ann', { admin: true, enabled: false, createdMs: 3, accessKeys: ['AK1', 'AK2'] }),
  sample(owners, 'ann', 300),
  sample(accessKeys, 'AK1', { user: 'ann', sealedSecret: new Uint8Array([0, 255]), enabled: true, createdMs: 3 }),
  sample(leases, 12, {
    holder: 'gateway-1',
    expiresMs: 1_700_000_000_000,
    replication: 'RATIS/ONE',
    ranges: [{ container: 1, firstLocal: 2, count: 9 }],
    committed: new Uint8Array([1, 1]),
  }),
  sample(blockReferences, { container: 2 ** 40, local: 4_000_000_000 }, 2),
  sample(deletedBlocks, 5, { deletedMs: 6, ranges: [{ container: 1, firstLocal: 2, count: 3 }] }),
  sample(queueEnds, 'deleted-blocks', { first: 5, next: 6 }),
]

const replies: readonly OmReply[] = [
  { kind: 'done' },
  {
    kind: 'volume',
    volume: {
      name: 's3v',
      owner: 'ann',
      createdMs: 1,
      modifiedMs: 2,
      quota: {},
      usage: { bytes: 1, keys: 2, buckets: 3 },
      members: { bob: 'all' },
      metadata: {},
    },
  },
  {
    kind: 'bucket',
    bucket: {
      id: 4,
      volume: 's3v',
      name: 'bucket',
      owner: 'ann',
      createdMs: 1,
      modifiedMs: 2,
      replication: 'RATIS/ONE',
      quota: { bytes: 9 },
      usage: { bytes: 1, keys: 2 },
      uploads: 3,
      members: {},
      tags: {},
      metadata: {},
    },
  },
  { kind: 'key', etag: 'e', modifiedMs: 1, updateId: 2, size: 3 },
  { kind: 'deleted', existed: true },
  {
    kind: 'deleted-many',
    results: [
      { key: 'é', existed: true },
      { key: 'b', existed: false },
      { key: 'c', error: 'PreconditionFailed' },
      { key: 'd', error: 'KeyTooLong' },
    ],
  },
  { kind: 'upload', upload: uploadId, initiatedMs: 1 },
  { kind: 'part', etag: 'e', modifiedMs: 1 },
  { kind: 'user', user: { name: 'ann', admin: true, enabled: false, createdMs: 1 } },
  { kind: 'access-key', id: 'AK1' },
  {
    kind: 'lease',
    lease: {
      id: 1,
      holder: 'g',
      expiresMs: 2,
      replication: 'RATIS/ONE',
      ranges: [{ container: 1, firstLocal: 2, count: 3 }],
    },
  },
]

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const binaryHex = (binary: string): string => Buffer.from(binary, 'latin1').toString('hex')

/** A row as an object of its own fields: what is decoded late is decoded now. */
function opened(value: unknown): unknown {
  const row = value as LeafRow
  return typeof value === 'object' && row.kind === 'leaf' ? changeLeaf(row, {}) : value
}

describe('rows', () => {
  test('are written as in the first release', async () => {
    const lines = samples.map(({ table, key, value }) =>
      [table.name, binaryHex(table.prefix + table.encodeKey(key)), hex(table.encode(value))].join(' '),
    )
    await expect(lines.join('\n') + '\n').toMatchFileSnapshot('./testdata/rows.golden.txt')
  })

  test.each(samples.map((one) => [one.table.name, one] as const))('of %s come back', (_name, { table, key, value }) => {
    expect(table.decodeKey(table.encodeKey(key))).toEqual(key)
    expect(opened(table.decode(table.encode(value)))).toEqual(value)
  })

  test.each(samples.map((one) => [one.table.name, one] as const))(
    'of %s of a release to come are not guessed at',
    (_name, { table, value }) => {
      const bytes = table.encode(value).slice()
      bytes[0] = 2
      expect(() => table.decode(bytes)).toThrow(expect.objectContaining({ code: 'Incompatible' }) as Error)
    },
  )

  test.each(samples.map((one) => [one.table.name, one] as const))('of %s that were cut are damaged', (_name, one) => {
    const bytes = one.table.encode(one.value)
    for (let length = 1; length < bytes.length; length++) {
      expect(() => opened(one.table.decode(bytes.subarray(0, length)))).toThrow(StoreError)
    }
  })

  test('have a sample of every table, and no two tables a prefix', () => {
    const names = new Set(samples.map(({ table }) => table.name))
    expect(omTables.map(({ name }) => name).toSorted()).toEqual([...names].toSorted())
    expect(new Set(omTables.map(({ prefix }) => prefix)).size).toBe(omTables.length)
  })
})

describe('replies', () => {
  test('are written as in the first release', async () => {
    const lines = replies.map((reply) => `${reply.kind} ${hex(encodeReply(reply))}`)
    await expect(lines.join('\n') + '\n').toMatchFileSnapshot('./testdata/replies.golden.txt')
  })

  test.each(replies.map((reply) => [reply.kind, reply] as const))('%s comes back', (_kind, reply) => {
    expect(decodeReply(encodeReply(reply))).toEqual(reply)
  })

  test('of a release to come are not guessed at', () => {
    expect(() => decodeReply(new Uint8Array([2, 0]))).toThrow(
      expect.objectContaining({ code: 'Incompatible' }) as Error,
    )
  })
})

describe('upload rows', () => {
  const name = fc
    .array(fc.constantFrom('\0', '\x01', 'a', '\xff', '/'), { minLength: 1, maxLength: 4 })
    .map((all) => all.join(''))

  test('are in the order of key, then upload', () => {
    const id = fc.constantFrom('0'.repeat(46), '1'.repeat(46), 'f'.repeat(46))
    fc.assert(
      fc.property(name, id, name, id, (key, upload, otherKey, otherUpload) => {
        const row = uploads.encodeKey({ bucket: 1, key, upload })
        const other = uploads.encodeKey({ bucket: 1, key: otherKey, upload: otherUpload })
        expect(row < other).toBe(key < otherKey || (key === otherKey && upload < otherUpload))
      }),
    )
  })

  test('of a key and of later ones begin where a scan from that key does', () => {
    fc.assert(
      fc.property(name, name, (key, from) => {
        const row = uploads.encodeKey({ bucket: 1, key, upload: uploadId })
        expect(row >= uploadsFrom(1, from)).toBe(key >= from)
      }),
    )
  })
})
