/** For each call, requests and replies with every field set and with none. */

import type { Method, ReplyOf, RequestOf } from '../src/core/calls.ts'

type Samples = {
  readonly [M in Method]: { readonly requests: readonly RequestOf<M>[]; readonly replies: readonly ReplyOf<M>[] }
}

const ref = { volume: 'vol', bucket: 'buck' }
const keyRef = { ...ref, key: 'dir/kéy' }
const uploadRef = { ...keyRef, upload: 'u-1' }
const quota = { bytes: 1_099_511_627_776, keys: 5, buckets: 2 }
const checksum = { algorithm: 'crc64nvme', type: 'full-object', value: 'AAECAwQFBgc=' } as const
const texts = { a: '1', __proto__x: '' }
const given = { contentType: 'text/plain', headers: { 'cache-control': 'no-store' }, metadata: texts, tags: {} }
const attributes = { etag: 'abc', checksum, ...given }
const nowMs = 1_767_225_600_123
const preconditions = { ifMatch: ['x', 'y'], ifNoneMatch: '*' } as const
const conditions = { ifMatch: '*', ifNoneMatch: ['z'], ifModifiedSinceMs: -1000, ifUnmodifiedSinceMs: nowMs } as const
const md5 = Uint8Array.from({ length: 16 }, (_, i) => i)
const page = { after: 'm', limit: 100 }
const done = [undefined]

const volume = {
  name: 'vol',
  owner: 'admin',
  createdMs: nowMs,
  modifiedMs: nowMs + 1,
  quota,
  usage: { bytes: 3, keys: 2, buckets: 1 },
  members: { alice: 'create-bucket', '*': 'read' },
  metadata: texts,
} as const
const bucket = {
  id: 7,
  volume: 'vol',
  name: 'buck',
  owner: 'alice',
  createdMs: nowMs,
  modifiedMs: nowMs,
  replication: 'RATIS/ONE',
  quota: {},
  usage: { bytes: 9_007_199_254_740_991, keys: 0 },
  uploads: 3,
  members: { bob: 'all' },
  tags: texts,
  metadata: {},
} as const
const info = {
  name: 'dir/kéy',
  size: 10,
  modifiedMs: nowMs,
  owner: 'alice',
  updateId: 99,
  ...attributes,
  parts: [{ number: 1, size: 10, checksum: 'AAAA' }],
}
const bareInfo = {
  name: 'k',
  size: 0,
  modifiedMs: 0,
  owner: 'a',
  updateId: 1,
  etag: '',
  headers: {},
  metadata: {},
  tags: {},
}
const commit = { etag: 'abc', modifiedMs: nowMs, size: 10, updateId: 100 }
const upload = {
  id: 'u-1',
  key: 'k',
  owner: 'a',
  initiatedMs: nowMs,
  attributes: given,
  checksum: { algorithm: 'sha256', type: 'composite' },
} as const
const partInfo = { number: 2, size: 5, etag: 'p', modifiedMs: nowMs, checksum }
const treeEntry = { name: 'n', kind: 'directory', size: 0, modifiedMs: nowMs, owner: 'a' } as const
const snapshot = { name: 's', createdMs: nowMs }
const user = { name: 'alice', admin: false, enabled: true, createdMs: nowMs }

export const samples: Samples = {
  'session.principal.1': { requests: done, replies: [{ user: 'admin', admin: true }] },
  'volumes.create.1': { requests: [{ volume: 'vol' }, { volume: 'vol', owner: 'a', quota }], replies: [volume] },
  'volumes.list.1': {
    requests: [{ limit: 0 }, { ...page, prefix: 'v' }],
    replies: [{ items: [volume], truncated: true }],
  },
  'volumes.info.1': { requests: [{ volume: 'vol' }], replies: [volume] },
  'volumes.update.1': {
    requests: [
      { volume: 'vol' },
      { volume: 'vol', owner: 'b', quota: {}, members: { a: 'all', b: null }, metadata: {} },
    ],
    replies: [volume],
  },
  'volumes.delete.1': { requests: [{ volume: 'vol' }], replies: done },
  'buckets.create.1': {
    requests: [{ ref }, { ref, quota, replication: 'RATIS/ONE', tags: texts }],
    replies: [bucket],
  },
  'buckets.list.1': {
    requests: [
      { volume: 'vol', limit: 1 },
      { volume: 'vol', ...page, prefix: 'b' },
    ],
    replies: [{ items: [], truncated: false }],
  },
  'buckets.info.1': { requests: [ref], replies: [bucket] },
  'buckets.update.1': {
    requests: [{ ref }, { ref, owner: 'b', quota, members: { a: 'write', b: null }, tags: {}, metadata: texts }],
    replies: [bucket],
  },
  'buckets.delete.1': { requests: [ref], replies: done },
  'buckets.link.1': { requests: [{ ref, target: ref }], replies: [bucket] },
  'keys.put.1': {
    requests: [
      { ref: keyRef, digests: [], preconditions: {} },
      {
        ref: keyRef,
        size: 10,
        digests: ['md5', 'crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'],
        preconditions,
        requestId: 'r',
        trailer: { digests: { md5 }, attributes },
      },
    ],
    replies: [commit],
  },
  'keys.get.1': {
    requests: [{ ref: keyRef }, { ref: keyRef, range: { kind: 'from-to', start: 1, end: 5 }, conditions }],
    replies: [{ info, start: 0, end: 10 }],
  },
  'keys.head.1': {
    requests: [
      { ref: keyRef, range: { kind: 'suffix', length: 3 } },
      { ref: keyRef, range: { kind: 'part', number: 2 } },
      { ref: keyRef, range: { kind: 'from-to', start: -1 } },
    ],
    replies: [{ info: bareInfo, start: 0, end: 0 }],
  },
  'keys.list.1': {
    requests: [
      { ref, limit: 1000 },
      { ref, prefix: 'p', delimiter: '/', ...page },
    ],
    replies: [
      {
        items: [
          { kind: 'key', key: bareInfo },
          { kind: 'prefix', prefix: 'p/' },
        ],
        truncated: false,
      },
    ],
  },
  'keys.copy.1': {
    requests: [
      { source: keyRef, target: keyRef, preconditions: {} },
      {
        source: keyRef,
        target: keyRef,
        sourceConditions: conditions,
        attributes: given,
        checksum: 'sha1',
        preconditions,
        requestId: 'r',
      },
      { source: keyRef, target: keyRef, attributes: {}, preconditions: {} },
    ],
    replies: [{ ...commit, info }],
  },
  'keys.rename.1': {
    requests: [
      { ref: keyRef, to: 'x' },
      { ref: keyRef, to: 'x', replace: true },
    ],
    replies: done,
  },
  'keys.delete.1': {
    requests: [{ ref: keyRef }, { ref: keyRef, preconditions, requestId: 'r' }],
    replies: [{ existed: true }],
  },
  'keys.delete-many.1': {
    requests: [{ ref, keys: [{ key: 'a' }, { key: 'b', ifMatch: 'e' }] }],
    replies: [
      [
        { kind: 'deleted', key: 'a', existed: false },
        { kind: 'refused', key: 'b', code: 'PreconditionFailed', message: 'no' },
      ],
    ],
  },
  'keys.set-tags.1': { requests: [{ ref: keyRef, tags: texts }], replies: done },
  'uploads.start.1': {
    requests: [
      { ref: keyRef, attributes: { headers: {}, metadata: {}, tags: {} } },
      { ref: keyRef, attributes: given, checksum: { algorithm: 'crc32c', type: 'composite' } },
    ],
    replies: [upload],
  },
  'uploads.info.1': { requests: [uploadRef], replies: [upload] },
  'uploads.put-part.1': {
    requests: [
      { ref: uploadRef, number: 1, digests: [] },
      {
        ref: uploadRef,
        number: 2,
        size: 10,
        digests: ['md5'],
        requestId: 'r',
        trailer: { digests: { md5 }, part: { etag: 'p', checksum } },
      },
    ],
    replies: [partInfo],
  },
  'uploads.copy-part.1': {
    requests: [
      { ref: uploadRef, number: 1, source: keyRef },
      { ref: uploadRef, number: 1, source: keyRef, range: { start: 0, end: 5 }, sourceConditions: conditions },
    ],
    replies: [partInfo],
  },
  'uploads.parts.1': {
    requests: [
      { ref: uploadRef, limit: 1 },
      { ref: uploadRef, after: 3, limit: 1 },
    ],
    replies: [{ items: [partInfo], truncated: false }],
  },
  'uploads.complete.1': {
    requests: [
      { ref: uploadRef, parts: [{ number: 1, etag: 'e' }], preconditions: {}, minPartBytes: 0 },
      {
        ref: uploadRef,
        parts: [{ number: 1, etag: 'e', checksum: 'AAAA' }],
        preconditions,
        minPartBytes: 5_242_880,
        whole: { seen: md5, etag: 'w-1', checksum },
      },
    ],
    replies: [commit],
  },
  'uploads.abort.1': { requests: [uploadRef], replies: done },
  'uploads.list.1': {
    requests: [
      { ref, limit: 1 },
      { ref, prefix: 'p', delimiter: '/', keyMarker: 'k', uploadIdMarker: 'u', limit: 9 },
    ],
    replies: [
      {
        items: [
          { kind: 'upload', upload },
          { kind: 'prefix', prefix: 'p' },
        ],
        truncated: true,
      },
    ],
  },
  'tree.stat.1': { requests: [keyRef], replies: [treeEntry] },
  'tree.list.1': {
    requests: [
      { ref: keyRef, limit: 3 },
      { ref: keyRef, ...page },
    ],
    replies: [{ items: [treeEntry], truncated: false }],
  },
  'tree.mkdirs.1': { requests: [keyRef], replies: done },
  'tree.rename.1': { requests: [{ ref: keyRef, to: 'x', replace: false }], replies: done },
  'tree.remove.1': { requests: [{ ref: keyRef, recursive: true }], replies: done },
  'tree.append.1': { requests: [keyRef], replies: [commit] },
  'tree.truncate.1': { requests: [{ ref: keyRef, size: 5 }], replies: [commit] },
  'tree.set-attributes.1': { requests: [{ ref: keyRef, attributes: texts }], replies: done },
  'tree.summary.1': { requests: [keyRef], replies: [{ bytes: 1, keys: 2, directories: 3 }] },
  'snapshots.create.1': { requests: [{ ref, name: 's' }], replies: [snapshot] },
  'snapshots.list.1': { requests: [{ ref, ...page }], replies: [{ items: [snapshot], truncated: false }] },
  'snapshots.info.1': { requests: [{ ref, name: 's' }], replies: [snapshot] },
  'snapshots.diff.1': { requests: [{ ref, from: 'a', to: 'b' }], replies: done },
  'snapshots.restore.1': { requests: [{ ref, name: 's' }], replies: done },
  'snapshots.delete.1': { requests: [{ ref, name: 's' }], replies: done },
  'identities.create-user.1': { requests: [{ user: 'a' }, { user: 'a', admin: true }], replies: [user] },
  'identities.update-user.1': {
    requests: [{ user: 'a' }, { user: 'a', admin: true, enabled: false }],
    replies: [user],
  },
  'identities.delete-user.1': { requests: [{ user: 'a' }], replies: done },
  'identities.list-users.1': { requests: [{ limit: 1 }, page], replies: [{ items: [user], truncated: false }] },
  'identities.get-user.1': { requests: [{ user: 'a' }], replies: [user] },
  'identities.create-access-key.1': {
    requests: [{ user: 'a' }, { user: 'a', given: { id: 'i', secret: 's' } }],
    replies: [{ id: 'i', secret: 's' }],
  },
  'identities.update-access-key.1': { requests: [{ id: 'i', enabled: false }], replies: done },
  'identities.delete-access-key.1': { requests: [{ id: 'i' }], replies: done },
  'identities.list-access-keys.1': {
    requests: [{ limit: 1 }, { user: 'a', ...page }],
    replies: [{ items: [{ id: 'i', user: 'a', enabled: true, createdMs: nowMs }], truncated: false }],
  },
  'admin.summary.1': {
    requests: done,
    replies: [
      {
        containers: { OPEN: 1, CLOSING: 2, QUASI_CLOSED: 3, CLOSED: 4, DELETING: 5, DELETED: 6 },
        pendingDeletionBlocks: 7,
        totalBytes: 8,
        availableBytes: 9,
      },
    ],
  },
  'admin.nodes.1': {
    requests: done,
    replies: [
      [
        {
          id: 'dn',
          address: 'local',
          operational: 'IN_SERVICE',
          health: 'HEALTHY',
          registeredMs: nowMs,
          lastHeartbeatMs: nowMs,
          disks: [{ path: '/d', uuid: 'u', state: 'full', totalBytes: 3, availableBytes: 1, usedBytes: 2 }],
        },
      ],
    ],
  },
  'admin.containers.1': {
    requests: [{ limit: 1 }, { after: 5, limit: 1 }],
    replies: [
      [
        {
          id: 1,
          state: 'OPEN',
          replication: 'RATIS/ONE',
          pipeline: 'p',
          datanodes: ['dn'],
          createdMs: nowMs,
          nextLocal: 9,
          usedBytes: 1,
          liveBytes: 1,
        },
      ],
    ],
  },
  'admin.audit.1': { requests: done, replies: [['one', 'two']] },
}
