import { StoreError } from '@o3/common/errors'
import { describe, expect, test } from 'vitest'
import type { LookupRequest } from '../../src/api/api.ts'
import { RemoteOm } from '../../src/client/client.ts'
import type { RowView } from '../../src/core/row-view.ts'
import { readLookup } from '../../src/storage/lookup.ts'
import { attributesWith, bucketRef, commitInline, keyRef, prepare, uploadIdOf } from '../fixtures/commands.ts'
import { PureOm } from '../fixtures/pure-om.ts'
import { overTheWire } from '../fixtures/wire.ts'

const pure = new PureOm()
prepare(pure)
pure.do({ kind: 'create-user', user: 'ann', admin: false })
pure.do({ kind: 'create-user', user: 'off', admin: false })
for (const [id, user] of [
  ['AK1', 'ann'],
  ['AK2', 'ann'],
  ['AK3', 'off'],
] as const) {
  pure.do({ kind: 'create-access-key', id, user, sealedSecret: new Uint8Array([7, 0, 255]) })
}
pure.do({ kind: 'update-access-key', id: 'AK2', enabled: false })
pure.do({ kind: 'update-user', user: 'off', enabled: false })
pure.do(commitInline('a/b', [1, 2, 255]))
const { etag: _, ...attributes } = attributesWith('')
const upload = uploadIdOf(pure.do({ kind: 'create-upload', ...keyRef('up'), owner: 'ann', attributes }))
const { om } = pure

const all: LookupRequest = {
  accessKey: 'AK1',
  places: [bucketRef, { volume: 'vol' }],
  key: keyRef('a/b'),
  upload: { ...keyRef('up'), upload },
}

function ask(request: LookupRequest) {
  return overTheWire(om, async (remote) => {
    if (!(remote instanceof RemoteOm)) throw new Error('a remote OM is asked')
    return remote.lookup(request)
  })
}

const row = (value: unknown) => ({ kind: 'row', row: value })
const refused = (code: string) => ({ kind: 'refused', error: expect.objectContaining({ code }) as unknown })

describe('a lookup', () => {
  test('brings what the reads of single rows bring', async () => {
    expect(await ask(all)).toEqual({
      accessKey: row(await om.getAccessKey('AK1')),
      user: row(await om.getUser('ann')),
      places: [
        { volume: row(await om.getVolume('vol')), bucket: row(await om.getBucket(bucketRef)) },
        { volume: row(await om.getVolume('vol')) },
      ],
      key: row(await om.getKey(keyRef('a/b'))),
      upload: row(await om.getUpload({ ...keyRef('up'), upload })),
    })
  })

  test('says of each row why there is none', async () => {
    const request: LookupRequest = {
      places: [{ volume: 'vol', bucket: 'nowhere' }, { volume: 'nowhere' }],
      key: keyRef('nothing'),
      upload: { ...keyRef('up'), upload: 'none' },
    }
    expect(await ask(request)).toEqual({
      places: [
        { volume: row(await om.getVolume('vol')), bucket: refused('BucketNotFound') },
        { volume: refused('VolumeNotFound') },
      ],
      key: refused('KeyNotFound'),
      upload: refused('UploadNotFound'),
    })
    const names = await ask({ places: [], key: keyRef('x'.repeat(1025)), upload: { ...keyRef('\ud800'), upload } })
    expect(names).toEqual({ places: [], key: refused('KeyTooLong'), upload: refused('InvalidName') })
    const error = await Promise.resolve(om.lookupRows(request)).then(({ key }) => key)
    expect(error).toEqual({
      kind: 'refused',
      error: { code: 'KeyNotFound', message: 'no such key', details: { key: 'nothing' } },
    })
  })

  test.each([
    ['an unknown access key', 'AK0', { accessKey: refused('AccessKeyNotFound') }],
    [
      'a disabled one',
      'AK2',
      { accessKey: { kind: 'row', row: expect.objectContaining({ enabled: false }) as unknown } },
    ],
    [
      'one of a disabled user',
      'AK3',
      {
        accessKey: row(om.getAccessKey('AK3')),
        user: { kind: 'row', row: expect.objectContaining({ enabled: false }) as unknown },
      },
    ],
  ])('reads nothing else for %s', async (_name, accessKey, identity) => {
    expect(await ask({ ...all, accessKey })).toEqual({ ...identity, places: [] })
  })

  test('leaves out what is too much', async () => {
    const large = new PureOm()
    prepare(large)
    const members = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`user-${n}`, 'read' as const]))
    large.do({ kind: 'update-volume', volume: 'vol', members })
    const key = await large.om.getKey(keyRef(manySegments(large)))
    expect(key.content.kind === 'blocks' && key.content.segments.length).toBeGreaterThan(16)
    expect(await large.om.lookupRows({ places: [bucketRef], key: keyRef(key.name) })).toEqual({
      places: [{ bucket: row(await large.om.getBucket(bucketRef)) }],
    })
  })

  test('leaves out what is damaged, and ends where nothing can be read', () => {
    const failing = (code: 'Damaged' | 'NotLeader'): RowView => ({
      get() {
        throw new StoreError(code, 'no')
      },
    })
    expect(readLookup(failing('Damaged'), { places: [bucketRef], key: keyRef('a/b') })).toEqual({ places: [{}] })
    expect(() => readLookup(failing('NotLeader'), { places: [bucketRef] })).toThrow('no')
  })

  test('has few places', async () => {
    await expect(ask({ places: [bucketRef, bucketRef, bucketRef] })).rejects.toMatchObject({ code: 'TooManyEntries' })
  })
})

/** A key of many blocks; its name. */
function manySegments(large: PureOm): string {
  const ranges = [{ container: 1, firstLocal: 1, count: 40 }]
  const reply = large.do({ kind: 'grant-lease', holder: 'test', durationMs: 1e9, replication: 'RATIS/ONE', ranges })
  if (reply.kind !== 'lease') throw new Error('a lease was granted')
  // Neighbours may be joined, so every other one.
  const extents = Array.from({ length: 20 }, (_, n) => ({ block: { container: 1, local: 1 + 2 * n }, length: 5_000 }))
  const content = { kind: 'leased', lease: reply.lease.id, extents } as const
  const { attributes: given } = commitInline('large', [])
  large.do({
    kind: 'commit-key',
    ...keyRef('large'),
    owner: 'ann',
    size: 100_000,
    content,
    attributes: given,
    preconditions: {},
  })
  return 'large'
}
