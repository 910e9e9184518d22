import type { StoreErrorCode } from '@o3/common/errors'
import { describe, expect, test } from 'vitest'
import type { OmCommand, Quota } from '../../src/api/api.ts'
import { commands } from '../../src/core/commands/commands.ts'
import {
  bucketRef,
  commitBlocks,
  commitInline,
  createBucket,
  createVolume,
  extent,
  grantLease,
  keyRef,
  prepare,
  uploadIdOf,
} from '../fixtures/commands.ts'
import { PureOm } from '../fixtures/pure-om.ts'

const nowhere = { volume: 'vol', bucket: 'nowhere' } as const
const long = 'x'.repeat(1025)
const blob = { headers: { h: 'x'.repeat(65_536) }, metadata: {}, tags: {} }
const broken = { headers: {}, metadata: { name: '\ud800' }, tags: {} }
const plain = { headers: {}, metadata: {}, tags: {} }
const negative: Quota = { bytes: -1 }

const put = commitInline('key', [1, 2, 3])
const startUpload: OmCommand = { kind: 'create-upload', ...keyRef('key'), owner: 'ann', attributes: plain }
const update = (changes: object): OmCommand => ({ kind: 'update-volume', volume: 'vol', ...changes })
const updateBucket = (changes: object): OmCommand => ({ kind: 'update-bucket', ...bucketRef, ...changes })
const user = (name: string): OmCommand => ({ kind: 'create-user', user: name, admin: false })
const accessKey = (id: string): OmCommand => ({
  kind: 'create-access-key',
  id,
  user: 'ann',
  sealedSecret: new Uint8Array(3),
})
const crowd = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`user${i}`, 'read' as const]))

/** `before` is done on a store with a volume and a bucket; `command` may need ids from it. */
interface Row {
  readonly code: StoreErrorCode
  readonly when: string
  readonly before?: readonly OmCommand[]
  readonly command: OmCommand | ((om: PureOm) => OmCommand)
}

const copyOf = (source: string, changes: object): OmCommand => ({
  ...commitInline('copy', [1, 2, 3]),
  content: { kind: 'copy', source: keyRef(source), sourceUpdateId: 3, ...changes },
})

type PartCommand = Extract<OmCommand, { kind: 'commit-part' }>
const part = (upload: string, number: number, bytes: readonly number[] = [1]): PartCommand => ({
  kind: 'commit-part',
  ...keyRef('key'),
  upload,
  number,
  size: bytes.length,
  etag: `p${number}`,
  content: { kind: 'inline', bytes: new Uint8Array(bytes) },
})

type CompleteCommand = Extract<OmCommand, { kind: 'complete-upload' }>
const complete = (upload: string, parts: CompleteCommand['parts']): CompleteCommand => ({
  kind: 'complete-upload',
  ...keyRef('key'),
  upload,
  parts,
  etag: 'whole',
  preconditions: {},
  minPartBytes: 2,
})

/** An upload with parts 1 (one byte), 2 and 3 (two bytes each). */
function uploadWithParts(om: PureOm): string {
  const upload = uploadIdOf(om.do(startUpload))
  om.do(part(upload, 1, [1]))
  om.do(part(upload, 2, [2, 2]))
  om.do(part(upload, 3, [3, 3]))
  return upload
}

const named = (...numbers: readonly number[]) => numbers.map((number) => ({ number, etag: `p${number}` }))

const rows: Readonly<Record<OmCommand['kind'], readonly Row[]>> = {
  'create-volume': [
    {
      code: 'InvalidName',
      when: 'it is named as no bucket may be',
      command: { ...createVolume, volume: 'Vol' } as OmCommand,
    },
    { code: 'InvalidName', when: 'its owner is', command: { ...createVolume, volume: 'new', owner: '' } as OmCommand },
    {
      code: 'InvalidArgument',
      when: 'a quota is no count',
      command: { ...createVolume, volume: 'new', quota: negative } as OmCommand,
    },
    { code: 'VolumeAlreadyExists', when: 'it does', command: createVolume },
  ],
  'update-volume': [
    { code: 'VolumeNotFound', when: 'there is none', command: update({ volume: 'nowhere' }) },
    { code: 'InvalidName', when: 'the owner is', command: update({ owner: 'a b' }) },
    { code: 'InvalidArgument', when: 'a quota is no count', command: update({ quota: { buckets: 1.5 } }) },
    { code: 'TooLarge', when: 'metadata is', command: update({ metadata: blob.headers }) },
    { code: 'TooManyEntries', when: 'members are', command: update({ members: crowd }) },
  ],
  'delete-volume': [
    { code: 'VolumeNotFound', when: 'there is none', command: { kind: 'delete-volume', volume: 'nowhere' } },
    { code: 'VolumeNotEmpty', when: 'it has a bucket', command: { kind: 'delete-volume', volume: 'vol' } },
  ],
  'create-bucket': [
    ...['ab', 'a'.repeat(64), '-ab', 'ab-', 'a..b', '1.2.3.4', 'a_b', 'A-b', ''].map((bucket): Row => {
      return { code: 'InvalidName', when: `it is named ${bucket}`, command: { ...createBucket, bucket } as OmCommand }
    }),
    { code: 'InvalidName', when: 'its owner is', command: { ...createBucket, bucket: 'new', owner: '' } as OmCommand },
    {
      code: 'InvalidArgument',
      when: 'a quota is no count',
      command: { ...createBucket, bucket: 'new', quota: negative } as OmCommand,
    },
    {
      code: 'TooLarge',
      when: 'tags are',
      command: { ...createBucket, bucket: 'new', tags: blob.headers } as OmCommand,
    },
    {
      code: 'VolumeNotFound',
      when: 'its volume is not there',
      command: { ...createBucket, volume: 'nowhere' } as OmCommand,
    },
    { code: 'BucketAlreadyExists', when: 'it does', command: createBucket },
    {
      code: 'QuotaExceeded',
      when: 'the volume may have no more',
      before: [update({ quota: { buckets: 1 } })],
      command: { ...createBucket, bucket: 'new' } as OmCommand,
    },
  ],
  'update-bucket': [
    { code: 'BucketNotFound', when: 'there is none', command: updateBucket(nowhere) },
    { code: 'InvalidName', when: 'the owner is', command: updateBucket({ owner: 'a b' }) },
    { code: 'InvalidArgument', when: 'a quota is no count', command: updateBucket({ quota: { keys: Number.NaN } }) },
    { code: 'TooLarge', when: 'tags are', command: updateBucket({ tags: blob.headers }) },
    { code: 'TooManyEntries', when: 'members are', command: updateBucket({ members: crowd }) },
  ],
  'delete-bucket': [
    { code: 'BucketNotFound', when: 'there is none', command: { kind: 'delete-bucket', ...nowhere } },
    { code: 'BucketNotEmpty', when: 'it has a key', before: [put], command: { kind: 'delete-bucket', ...bucketRef } },
    {
      code: 'BucketNotEmpty',
      when: 'it has an upload',
      before: [startUpload],
      command: { kind: 'delete-bucket', ...bucketRef },
    },
  ],
  'commit-key': [
    { code: 'BucketNotFound', when: 'there is none', command: { ...put, ...nowhere } },
    { code: 'BucketNotFound', when: 'there is no volume', command: { ...put, volume: 'nowhere' } },
    { code: 'InvalidName', when: 'the key is empty', command: commitInline('', []) },
    { code: 'InvalidName', when: 'the key is no text', command: commitInline('a\ud800b', []) },
    { code: 'InvalidName', when: 'the key is half a pair', command: commitInline('\udc00', []) },
    { code: 'KeyTooLong', when: 'the key is', command: commitInline(long, []) },
    { code: 'KeyTooLong', when: 'the key is, in bytes', command: commitInline('é'.repeat(513), []) },
    { code: 'TooLarge', when: 'headers are', command: { ...put, attributes: { ...blob, etag: 'e' } } },
    {
      code: 'InvalidArgument',
      when: 'metadata is no text',
      command: { ...put, attributes: { ...broken, etag: 'e' } },
    },
    { code: 'TooLarge', when: 'the owner is', command: { ...put, owner: 'x'.repeat(65_537) } },
    {
      code: 'TooLarge',
      when: 'it cannot ride in a row',
      command: commitInline(
        'key',
        Array.from({ length: 4097 }, () => 0),
      ),
    },
    { code: 'InvalidArgument', when: 'it is not as long as it says', command: { ...put, size: 2 } },
    { code: 'LeaseExpired', when: 'there is no lease', command: commitBlocks('key', 99, [extent(1, 1, 5)]) },
    {
      code: 'LeaseExpired',
      when: 'the lease ran out',
      command: (om) => {
        const lease = grantLease(om, 1, 4, 10)
        om.pure.advance(10)
        return commitBlocks('key', lease, [extent(1, 1, 5)])
      },
    },
    {
      code: 'LeaseExpired',
      when: 'the block is of another container',
      command: (om) => commitBlocks('key', grantLease(om, 1, 4), [extent(2, 1, 5)]),
    },
    {
      code: 'LeaseExpired',
      when: 'the block is before the range',
      command: (om) => commitBlocks('key', grantLease(om, 1, 4), [extent(1, 0, 5)]),
    },
    {
      code: 'LeaseExpired',
      when: 'the block is behind the range',
      command: (om) => commitBlocks('key', grantLease(om, 1, 4), [extent(1, 5, 5)]),
    },
    {
      code: 'LeaseExpired',
      when: 'a block is named twice',
      command: (om) => commitBlocks('key', grantLease(om, 1, 4), [extent(1, 2, 5), extent(1, 2, 5)]),
    },
    {
      code: 'LeaseExpired',
      when: 'the block was committed before',
      command: (om) => {
        const lease = grantLease(om, 1, 4)
        om.do(commitBlocks('other', lease, [extent(1, 2, 5)]))
        return commitBlocks('key', lease, [extent(1, 2, 5)])
      },
    },
    {
      code: 'InvalidArgument',
      when: 'an extent is empty',
      command: (om) => commitBlocks('key', grantLease(om, 1, 4), [extent(1, 1, 0)]),
    },
    {
      code: 'InvalidArgument',
      when: 'extents are not as long as it says',
      command: (om) => ({ ...commitBlocks('key', grantLease(om, 1, 4), [extent(1, 1, 5)]), size: 6 }),
    },
    {
      code: 'TooManyEntries',
      when: 'extents are',
      command: (om) => {
        const pieces = [grantLease(om, 1, 60_000), grantLease(om, 2, 60_000)].map((lease, i) => ({
          lease,
          extents: Array.from({ length: 60_000 }, (_, local) => extent(i + 1, local + 1, 1)),
        }))
        return { ...put, size: 120_000, content: { kind: 'leased-many', pieces } }
      },
    },
    {
      code: 'BucketNotFound',
      when: 'the bucket of the source is not there',
      command: copyOf('key', { source: { ...nowhere, key: 'key' } }),
    },
    { code: 'KeyNotFound', when: 'the source is not there', command: copyOf('key', {}) },
    { code: 'ConcurrentChange', when: 'the source has changed', before: [put, put], command: copyOf('key', {}) },
    {
      code: 'InvalidRange',
      when: 'the range reaches over the source',
      before: [put],
      command: copyOf('key', { range: { offset: 1, length: 3 } }),
    },
    {
      code: 'InvalidRange',
      when: 'the range begins before it',
      before: [put],
      command: copyOf('key', { range: { offset: -1, length: 3 } }),
    },
    {
      code: 'InvalidArgument',
      when: 'the copy is not as long as it says',
      before: [put],
      command: copyOf('key', { range: { offset: 0, length: 2 } }),
    },
    {
      code: 'KeyNotFound',
      when: 'If-Match names a key that is not there',
      command: { ...put, preconditions: { ifMatch: '*' } },
    },
    {
      code: 'PreconditionFailed',
      when: 'the ETag is another',
      before: [put],
      command: { ...put, preconditions: { ifMatch: ['e'] } },
    },
    {
      code: 'PreconditionFailed',
      when: 'it must not be there',
      before: [put],
      command: { ...put, preconditions: { ifNoneMatch: '*' } },
    },
    {
      code: 'PreconditionFailed',
      when: 'the ETag must be another',
      before: [put],
      command: { ...put, preconditions: { ifNoneMatch: ['etag-1-2-3'] } },
    },
    {
      code: 'QuotaExceeded',
      when: 'the bucket would be too full',
      before: [updateBucket({ quota: { bytes: 2 } })],
      command: put,
    },
    {
      code: 'QuotaExceeded',
      when: 'the bucket has too many keys',
      before: [updateBucket({ quota: { keys: 0 } })],
      command: put,
    },
    {
      code: 'QuotaExceeded',
      when: 'the volume would be too full',
      before: [update({ quota: { bytes: 2 } })],
      command: put,
    },
    {
      code: 'QuotaExceeded',
      when: 'the volume has too many keys',
      before: [update({ quota: { keys: 0 } })],
      command: put,
    },
  ],
  'delete-key': [
    {
      code: 'BucketNotFound',
      when: 'there is none',
      command: { kind: 'delete-key', ...nowhere, key: 'key', preconditions: {} },
    },
    {
      code: 'InvalidName',
      when: 'the key is empty',
      command: { kind: 'delete-key', ...keyRef(''), preconditions: {} },
    },
    { code: 'KeyTooLong', when: 'the key is', command: { kind: 'delete-key', ...keyRef(long), preconditions: {} } },
    {
      code: 'KeyNotFound',
      when: 'If-Match names a key that is not there',
      command: { kind: 'delete-key', ...keyRef('key'), preconditions: { ifMatch: ['e'] } },
    },
    {
      code: 'PreconditionFailed',
      when: 'the ETag is another',
      before: [put],
      command: { kind: 'delete-key', ...keyRef('key'), preconditions: { ifMatch: ['e'] } },
    },
  ],
  'delete-keys': [
    { code: 'BucketNotFound', when: 'there is none', command: { kind: 'delete-keys', ...nowhere, keys: [] } },
    {
      code: 'TooManyEntries',
      when: 'there are',
      command: { kind: 'delete-keys', ...bucketRef, keys: Array.from({ length: 1001 }, (_, i) => ({ key: `k${i}` })) },
    },
  ],
  'set-key-tags': [
    {
      code: 'BucketNotFound',
      when: 'there is none',
      command: { kind: 'set-key-tags', ...nowhere, key: 'key', tags: {} },
    },
    { code: 'InvalidName', when: 'the key is empty', command: { kind: 'set-key-tags', ...keyRef(''), tags: {} } },
    { code: 'KeyTooLong', when: 'the key is', command: { kind: 'set-key-tags', ...keyRef(long), tags: {} } },
    {
      code: 'TooLarge',
      when: 'tags are',
      before: [put],
      command: { kind: 'set-key-tags', ...keyRef('key'), tags: blob.headers },
    },
    { code: 'KeyNotFound', when: 'there is none', command: { kind: 'set-key-tags', ...keyRef('key'), tags: {} } },
  ],
  'rename-key': [
    {
      code: 'BucketNotFound',
      when: 'there is none',
      command: { kind: 'rename-key', ...nowhere, key: 'a', to: 'b', replace: true },
    },
    {
      code: 'InvalidName',
      when: 'the target is empty',
      command: { kind: 'rename-key', ...keyRef('key'), to: '', replace: true },
    },
    {
      code: 'InvalidName',
      when: 'the source is empty',
      command: { kind: 'rename-key', ...keyRef(''), to: 'a', replace: true },
    },
    {
      code: 'KeyTooLong',
      when: 'the target is',
      command: { kind: 'rename-key', ...keyRef('key'), to: long, replace: true },
    },
    {
      code: 'InvalidArgument',
      when: 'a key would become a directory',
      before: [put],
      command: { kind: 'rename-key', ...keyRef('key'), to: 'dir/', replace: true },
    },
    {
      code: 'KeyNotFound',
      when: 'there is none',
      command: { kind: 'rename-key', ...keyRef('key'), to: 'b', replace: true },
    },
    {
      code: 'KeyNotFound',
      when: 'there is no directory',
      before: [put],
      command: { kind: 'rename-key', ...keyRef('key/'), to: 'b/', replace: true },
    },
    {
      code: 'KeyAlreadyExists',
      when: 'the target does',
      before: [put, commitInline('b', [])],
      command: { kind: 'rename-key', ...keyRef('key'), to: 'b', replace: false },
    },
    {
      code: 'InvalidArgument',
      when: 'a directory would lie in itself',
      before: [commitInline('a/b', [])],
      command: { kind: 'rename-key', ...keyRef('a/'), to: 'a/b/', replace: true },
    },
    {
      code: 'DirectoryNotEmpty',
      when: 'the target is there',
      before: [commitInline('a/b', []), commitInline('c/', [])],
      command: { kind: 'rename-key', ...keyRef('a/'), to: 'c/', replace: true },
    },
    {
      code: 'KeyTooLong',
      when: 'a key below would be',
      before: [commitInline(`a/b/${'x'.repeat(1000)}`, [])],
      command: { kind: 'rename-key', ...keyRef('a/'), to: `${'y'.repeat(30)}/`, replace: true },
    },
  ],
  'create-upload': [
    { code: 'BucketNotFound', when: 'there is none', command: { ...startUpload, ...nowhere } },
    { code: 'InvalidName', when: 'the key is empty', command: { ...startUpload, key: '' } },
    { code: 'KeyTooLong', when: 'the key is', command: { ...startUpload, key: long } },
    { code: 'TooLarge', when: 'headers are', command: { ...startUpload, attributes: blob } },
  ],
  'commit-part': [
    { code: 'BucketNotFound', when: 'there is none', command: { ...part('u', 1), ...nowhere } },
    { code: 'InvalidName', when: 'the key is empty', command: { ...part('u', 1), key: '' } },
    { code: 'KeyTooLong', when: 'the key is', command: { ...part('u', 1), key: long } },
    { code: 'UploadNotFound', when: 'there is none', command: part('u', 1) },
    {
      code: 'UploadNotFound',
      when: 'it is for another key',
      command: (om) => ({ ...part(uploadIdOf(om.do(startUpload)), 1), key: 'other' }),
    },
    { code: 'InvalidArgument', when: 'the number is 0', command: (om) => part(uploadIdOf(om.do(startUpload)), 0) },
    {
      code: 'InvalidArgument',
      when: 'the number is too great',
      command: (om) => part(uploadIdOf(om.do(startUpload)), 10_001),
    },
    {
      code: 'InvalidArgument',
      when: 'the number is no number',
      command: (om) => part(uploadIdOf(om.do(startUpload)), 1.5),
    },
    {
      code: 'InvalidArgument',
      when: 'it is not as long as it says',
      command: (om) => ({ ...part(uploadIdOf(om.do(startUpload)), 1), size: 7 }),
    },
    {
      code: 'TooLarge',
      when: 'the ETag is',
      command: (om) => ({ ...part(uploadIdOf(om.do(startUpload)), 1), etag: 'x'.repeat(65_537) }),
    },
    {
      code: 'QuotaExceeded',
      when: 'parts fill the bucket',
      before: [updateBucket({ quota: { bytes: 4 } })],
      command: (om) => {
        const upload = uploadIdOf(om.do(startUpload))
        om.do(part(upload, 1, [1, 1, 1]))
        return part(upload, 2, [2, 2])
      },
    },
  ],
  'complete-upload': [
    { code: 'BucketNotFound', when: 'there is none', command: { ...complete('u', named(1)), ...nowhere } },
    { code: 'InvalidName', when: 'the key is empty', command: { ...complete('u', named(1)), key: '' } },
    { code: 'KeyTooLong', when: 'the key is', command: { ...complete('u', named(1)), key: long } },
    { code: 'UploadNotFound', when: 'there is none', command: complete('u', named(1)) },
    { code: 'InvalidPart', when: 'no part is named', command: (om) => complete(uploadWithParts(om), []) },
    { code: 'InvalidPart', when: 'a part is not there', command: (om) => complete(uploadWithParts(om), named(2, 4)) },
    {
      code: 'InvalidPart',
      when: 'a number cannot be one',
      command: (om) => complete(uploadWithParts(om), named(-1, 2)),
    },
    {
      code: 'InvalidPart',
      when: 'an ETag is another',
      command: (om) => complete(uploadWithParts(om), [{ number: 2, etag: 'e' }]),
    },
    {
      code: 'InvalidPart',
      when: 'a checksum is another',
      command: (om) => complete(uploadWithParts(om), [{ number: 2, etag: 'p2', checksum: 'c' }]),
    },
    { code: 'InvalidPartOrder', when: 'parts go down', command: (om) => complete(uploadWithParts(om), named(3, 2)) },
    {
      code: 'InvalidPartOrder',
      when: 'a part is named twice',
      command: (om) => complete(uploadWithParts(om), named(2, 2)),
    },
    {
      code: 'PartTooSmall',
      when: 'a part but the last is',
      command: (om) => complete(uploadWithParts(om), named(1, 2)),
    },
    {
      code: 'PreconditionFailed',
      when: 'it must not be there',
      before: [put],
      command: (om) => ({ ...complete(uploadWithParts(om), named(2, 3)), preconditions: { ifNoneMatch: '*' } }),
    },
    {
      code: 'KeyNotFound',
      when: 'If-Match names a key that is not there',
      command: (om) => ({ ...complete(uploadWithParts(om), named(2, 3)), preconditions: { ifMatch: ['e'] } }),
    },
    {
      code: 'QuotaExceeded',
      when: 'the bucket has too many keys',
      before: [updateBucket({ quota: { keys: 0 } })],
      command: (om) => complete(uploadWithParts(om), named(2, 3)),
    },
    {
      code: 'UploadNotFound',
      when: 'it was completed with other parts',
      command: (om) => {
        const upload = uploadWithParts(om)
        om.do(complete(upload, named(2, 3)))
        return complete(upload, named(2))
      },
    },
    {
      code: 'InvalidArgument',
      when: 'the ETag is no text',
      command: (om) => ({ ...complete(uploadWithParts(om), named(2, 3)), etag: '\udfff' }),
    },
    {
      code: 'TooManyEntries',
      when: 'parts have too many bytes inline',
      command: (om) => {
        const upload = uploadIdOf(om.do(startUpload))
        const bytes = Array.from({ length: 4096 }, () => 7)
        for (let number = 1; number <= 257; number++) om.do(part(upload, number, bytes))
        return complete(upload, named(...Array.from({ length: 257 }, (_, i) => i + 1)))
      },
    },
  ],
  'abort-upload': [
    {
      code: 'BucketNotFound',
      when: 'there is none',
      command: { kind: 'abort-upload', ...nowhere, key: 'key', upload: 'u' },
    },
    { code: 'InvalidName', when: 'the key is empty', command: { kind: 'abort-upload', ...keyRef(''), upload: 'u' } },
    { code: 'KeyTooLong', when: 'the key is', command: { kind: 'abort-upload', ...keyRef(long), upload: 'u' } },
    { code: 'UploadNotFound', when: 'there is none', command: { kind: 'abort-upload', ...keyRef('key'), upload: 'u' } },
  ],
  'create-user': [
    { code: 'InvalidName', when: 'the name has a space', command: user('a b') },
    { code: 'InvalidName', when: 'the name is too long', command: user('a'.repeat(65)) },
    { code: 'UserAlreadyExists', when: 'it does', before: [user('ann')], command: user('ann') },
  ],
  'update-user': [
    { code: 'UserNotFound', when: 'there is none', command: { kind: 'update-user', user: 'ann', enabled: false } },
  ],
  'delete-user': [
    { code: 'UserNotFound', when: 'there is none', command: { kind: 'delete-user', user: 'ann' } },
    {
      code: 'UserInUse',
      when: 'it owns a volume',
      before: [user('ann')],
      command: { kind: 'delete-user', user: 'ann' },
    },
    {
      code: 'UserInUse',
      when: 'it owns a bucket',
      before: [user('bob'), { ...createBucket, bucket: 'bobs', owner: 'bob' } as OmCommand],
      command: { kind: 'delete-user', user: 'bob' },
    },
  ],
  'create-access-key': [
    { code: 'InvalidName', when: 'the id has a slash', before: [user('ann')], command: accessKey('A/B') },
    {
      code: 'TooLarge',
      when: 'the secret is',
      before: [user('ann')],
      command: { ...accessKey('AK1'), sealedSecret: new Uint8Array(1025) } as OmCommand,
    },
    { code: 'UserNotFound', when: 'there is none', command: accessKey('AK1') },
    { code: 'KeyAlreadyExists', when: 'it does', before: [user('ann'), accessKey('AK1')], command: accessKey('AK1') },
    {
      code: 'TooManyEntries',
      when: 'the user has a hundred',
      before: [user('ann'), ...Array.from({ length: 100 }, (_, i) => accessKey(`AK${i}`))],
      command: accessKey('AK100'),
    },
  ],
  'update-access-key': [
    {
      code: 'AccessKeyNotFound',
      when: 'there is none',
      command: { kind: 'update-access-key', id: 'AK1', enabled: true },
    },
  ],
  'delete-access-key': [
    { code: 'AccessKeyNotFound', when: 'there is none', command: { kind: 'delete-access-key', id: 'AK1' } },
  ],
  'grant-lease': [
    {
      code: 'InvalidArgument',
      when: 'the duration is none',
      command: { kind: 'grant-lease', holder: 'g', durationMs: -1, replication: 'RATIS/ONE', ranges: [] },
    },
    {
      code: 'InvalidArgument',
      when: 'a range is none',
      command: {
        kind: 'grant-lease',
        holder: 'g',
        durationMs: 1,
        replication: 'RATIS/ONE',
        ranges: [{ container: 1, firstLocal: 1, count: -1 }],
      },
    },
    {
      code: 'TooManyEntries',
      when: 'blocks are',
      command: {
        kind: 'grant-lease',
        holder: 'g',
        durationMs: 1,
        replication: 'RATIS/ONE',
        ranges: [{ container: 1, firstLocal: 1, count: 65_537 }],
      },
    },
  ],
  'renew-lease': [
    {
      code: 'InvalidArgument',
      when: 'the duration is none',
      command: (om) => ({ kind: 'renew-lease', lease: grantLease(om, 1, 1), durationMs: 0.5 }),
    },
    { code: 'LeaseExpired', when: 'there is none', command: { kind: 'renew-lease', lease: 9, durationMs: 1 } },
    {
      code: 'LeaseExpired',
      when: 'it ran out',
      command: (om) => {
        const lease = grantLease(om, 1, 1, 5)
        om.pure.advance(5)
        return { kind: 'renew-lease', lease, durationMs: 1 }
      },
    },
  ],
  'end-lease': [],
  'purge-deleted-blocks': [
    { code: 'InvalidArgument', when: 'the queue is empty', command: { kind: 'purge-deleted-blocks', through: 0 } },
    { code: 'InvalidArgument', when: 'the position is none', command: { kind: 'purge-deleted-blocks', through: -1 } },
  ],
}

describe.each(Object.entries(rows).filter(([, some]) => some.length > 0))('%s refuses with', (_kind, some) => {
  test.each(some)('$code when $when', async ({ code, before = [], command }) => {
    const om = new PureOm()
    prepare(om)
    for (const each of before) om.do(each)
    const asked = typeof command === 'function' ? command(om) : command
    expect(om.try(asked)).toBe(code)
    expect(await om.om.audit()).toEqual([])
  })
})

test('the table has a row for every command', () => {
  expect(Object.keys(rows).toSorted()).toEqual(Object.keys(commands).toSorted())
})
