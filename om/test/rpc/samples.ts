/** One request and one reply of every method, with every field in use. */

import type { ReplyOf, RequestOf } from '@o3/common/rpc'
import type { Content, Key, NewContent, OmCommand, Part, Upload } from '../../src/api/api.ts'
import type { OmMethods } from '../../src/rpc/rpc.ts'

const checksum = { algorithm: 'crc64nvme', type: 'full-object', value: 'AAECAwQFBgc=' } as const
const kindOfChecksum = { algorithm: 'sha256', type: 'composite' } as const
const texts = { headers: { 'cache-control': 'no-cache' }, metadata: { höhe: '3 m' }, tags: { t: '' } }
const attributes = { etag: 'abc-2', contentType: 'text/plain', checksum, ...texts }
const bucketRef = { volume: 'vol', bucket: 'bucket' }
const keyRef = { ...bucketRef, key: 'a/é\u{1f600}' }
const uploadRef = { ...keyRef, upload: 'u1' }
const replication = 'RATIS/ONE' as const
const preconditions = { ifMatch: ['e1', 'e2'], ifNoneMatch: '*' } as const
const ranges = [{ container: 2 ** 40 + 1, firstLocal: 7, count: 65_536 }]
const proofs = [new Uint8Array([1, 2]), new Uint8Array([3])]
const extents = [{ block: { container: 2 ** 40 + 1, local: 4_000_000_000 }, length: 2 ** 33, proofs }]

export const newContents = {
  inline: { kind: 'inline', bytes: new Uint8Array([1, 2, 255]) },
  leased: { kind: 'leased', lease: 300, extents },
  'leased-many': {
    kind: 'leased-many',
    pieces: [
      { lease: 300, extents },
      { lease: 301, extents: [] },
    ],
  },
  copy: { kind: 'copy', source: keyRef, sourceUpdateId: 9, range: { offset: 5, length: 2 ** 33 } },
} satisfies { [K in NewContent['kind']]: Extract<NewContent, { kind: K }> }

export const commands = {
  'create-volume': {
    kind: 'create-volume',
    volume: 'vol',
    owner: 'ann',
    quota: { bytes: 2 ** 52, keys: 0, buckets: 9 },
  },
  'update-volume': {
    kind: 'update-volume',
    volume: 'vol',
    owner: 'bob',
    quota: {},
    members: { bob: 'create-bucket', cy: null },
    metadata: { a: 'b' },
  },
  'delete-volume': { kind: 'delete-volume', volume: 'vol' },
  'create-bucket': {
    kind: 'create-bucket',
    ...bucketRef,
    owner: 'ann',
    quota: { bytes: 1 },
    replication,
    tags: { t: '1' },
    metadata: {},
  },
  'update-bucket': {
    kind: 'update-bucket',
    ...bucketRef,
    owner: 'bob',
    quota: { keys: 3 },
    members: { bob: 'write', cy: null },
    tags: {},
    metadata: { m: '' },
  },
  'delete-bucket': { kind: 'delete-bucket', ...bucketRef },
  'commit-key': {
    kind: 'commit-key',
    ...keyRef,
    owner: 'ann',
    size: 2 ** 33,
    content: newContents.leased,
    attributes,
    preconditions,
  },
  'delete-key': { kind: 'delete-key', ...keyRef, preconditions: { ifMatch: '*' } },
  'delete-keys': { kind: 'delete-keys', ...bucketRef, keys: [{ key: 'a' }, { key: 'b', ifMatch: 'e' }] },
  'set-key-tags': { kind: 'set-key-tags', ...keyRef, tags: { t: '1' } },
  'rename-key': { kind: 'rename-key', ...keyRef, to: 'b/', replace: true },
  'create-upload': {
    kind: 'create-upload',
    ...keyRef,
    owner: 'ann',
    attributes: { contentType: 'x/y', ...texts },
    checksum: kindOfChecksum,
  },
  'commit-part': {
    kind: 'commit-part',
    ...uploadRef,
    number: 10_000,
    size: 3,
    etag: 'e',
    checksum,
    content: newContents.inline,
  },
  'complete-upload': {
    kind: 'complete-upload',
    ...uploadRef,
    parts: [
      { number: 1, etag: 'e' },
      { number: 2, etag: 'f', checksum: 'c' },
    ],
    etag: 'x-2',
    checksum,
    preconditions: {},
    minPartBytes: 5 * 1024 * 1024,
  },
  'abort-upload': { kind: 'abort-upload', ...uploadRef },
  'create-user': { kind: 'create-user', user: 'ann', admin: true },
  'update-user': { kind: 'update-user', user: 'ann', admin: false, enabled: true },
  'delete-user': { kind: 'delete-user', user: 'ann' },
  'create-access-key': { kind: 'create-access-key', id: 'AK1', user: 'ann', sealedSecret: new Uint8Array([9, 0]) },
  'update-access-key': { kind: 'update-access-key', id: 'AK1', enabled: false },
  'delete-access-key': { kind: 'delete-access-key', id: 'AK1' },
  'grant-lease': { kind: 'grant-lease', holder: 'gateway', durationMs: 60_000, replication, ranges },
  'renew-lease': { kind: 'renew-lease', lease: 300, durationMs: 60_000 },
  'end-lease': { kind: 'end-lease', lease: 300 },
  'purge-deleted-blocks': { kind: 'purge-deleted-blocks', through: 12 },
} satisfies { [K in OmCommand['kind']]: Extract<OmCommand, { kind: K }> }

const volume = {
  name: 'vol',
  owner: 'ann',
  createdMs: 1_700_000_000_000,
  modifiedMs: 1_700_000_000_001,
  quota: { bytes: 2 ** 40 },
  usage: { bytes: 1, keys: 2, buckets: 3 },
  members: { bob: 'read', cy: 'all' },
  metadata: { a: 'b' },
} as const

const bucket = {
  id: 17,
  volume: 'vol',
  name: 'bucket',
  owner: 'ann',
  createdMs: 1,
  modifiedMs: 2,
  replication,
  quota: {},
  usage: { bytes: 1, keys: 2 },
  uploads: 1,
  members: { bob: 'all' },
  tags: { t: '1' },
  metadata: {},
} as const

const content: Content = {
  kind: 'blocks',
  segments: [
    { kind: 'block', block: { container: 2, local: 3 }, offset: 5, length: 2 ** 33 },
    { kind: 'inline', bytes: new Uint8Array([9]) },
  ],
}

const stored = { name: keyRef.key, size: 2 ** 33 + 1, modifiedMs: 1_700_000_000_000, owner: 'ann', updateId: 300 }
const key: Key = {
  ...stored,
  ...attributes,
  content,
  parts: [
    { number: 1, size: 2 ** 33, checksum: 'c1' },
    { number: 2, size: 1 },
  ],
  access: { validMs: 900_000, grants: [{ container: 2, firstLocal: 3, count: 1, token: new Uint8Array([4, 5]) }] },
}
const upload: Upload = {
  id: 'u1',
  key: keyRef.key,
  owner: 'ann',
  initiatedMs: 5,
  attributes: { contentType: 'x/y', ...texts },
  checksum: kindOfChecksum,
}
const parts: readonly Part[] = [
  { number: 1, size: 2 ** 33 + 1, etag: 'e', modifiedMs: 5, checksum, content },
  { number: 2, size: 1, etag: 'f', modifiedMs: 6, content: { kind: 'inline', bytes: new Uint8Array([9]) } },
]
const user = { name: 'ann', admin: true, enabled: false, createdMs: 5 }
const accessKey = { id: 'AK1', user: 'ann', sealedSecret: new Uint8Array([9, 0]), enabled: true, createdMs: 5 }
const lease = { id: 300, holder: 'gateway', expiresMs: 99, replication, ranges, tokens: [new Uint8Array([7, 8])] }
const page = { after: 'a', prefix: 'p', limit: 100 }

export const calls: {
  readonly [M in keyof OmMethods]: { readonly request: RequestOf<OmMethods[M]>; readonly reply: ReplyOf<OmMethods[M]> }
} = {
  'om.execute.1': {
    request: { requestId: 'r1', term: 2 ** 40, command: commands['commit-key'] },
    reply: { kind: 'key', etag: 'abc-2', modifiedMs: 5, updateId: 300, size: 3 },
  },
  'om.getVolume.1': { request: 'vol', reply: volume },
  'om.listVolumes.1': { request: page, reply: { items: [volume], truncated: true } },
  'om.getBucket.1': { request: bucketRef, reply: bucket },
  'om.listBuckets.1': { request: { volume: 'vol', ...page }, reply: { items: [bucket], truncated: false } },
  'om.getKey.1': { request: keyRef, reply: key },
  'om.listKeys.1': {
    request: { ...bucketRef, prefix: 'a', delimiter: '/', after: 'b', limit: 1000 },
    reply: {
      items: [
        { kind: 'key', key: { ...stored, ...attributes } },
        { kind: 'prefix', prefix: 'b/' },
      ],
      truncated: true,
    },
  },
  'om.getUpload.1': { request: uploadRef, reply: upload },
  'om.listUploads.1': {
    request: { ...bucketRef, prefix: 'a', delimiter: '/', keyMarker: 'k', uploadIdMarker: 'u', limit: 5 },
    reply: {
      items: [
        { kind: 'upload', upload },
        { kind: 'prefix', prefix: 'b/' },
      ],
      truncated: false,
    },
  },
  'om.listParts.1': { request: { ...uploadRef, after: 3, limit: 1000 }, reply: { items: parts, truncated: false } },
  'om.getParts.1': { request: { ...uploadRef, numbers: [1, 10_000] }, reply: { items: parts, truncated: true } },
  'om.getUser.1': { request: 'ann', reply: user },
  'om.listUsers.1': { request: { after: '', limit: 3 }, reply: { items: [user], truncated: false } },
  'om.getAccessKey.1': { request: 'AK1', reply: accessKey },
  'om.listAccessKeys.1': {
    request: { user: 'ann', after: 'AK0', limit: 3 },
    reply: { items: [accessKey], truncated: true },
  },
  'om.leaseBlocks.1': {
    request: { holder: 'gateway', count: 100, replication, requestId: 'r2', term: 7 },
    reply: lease,
  },
  'om.lookup.1': {
    request: { accessKey: 'AK1', places: [bucketRef, { volume: 'w' }], key: keyRef, upload: uploadRef },
    reply: {
      accessKey: { kind: 'row', row: accessKey },
      user: { kind: 'row', row: user },
      places: [
        { volume: { kind: 'row', row: volume }, bucket: { kind: 'row', row: bucket } },
        { volume: { kind: 'refused', error: { code: 'VolumeNotFound', message: 'no', details: { volume: 'w' } } } },
      ],
      key: { kind: 'row', row: key },
      upload: { kind: 'row', row: upload },
    },
  },
  'om.audit.1': { request: undefined, reply: { items: ['bucket vol/b: 3 keys, counted 4'], truncated: false } },
}
