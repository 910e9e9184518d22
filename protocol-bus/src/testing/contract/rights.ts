import { describe, expect, test } from 'vitest'
import type { BucketRight, O3Session, VolumeRight } from '../../api/api.ts'
import { alice, bob, bucket, expectRefusal, keyRef, noAttributes, put, text, withBucket } from './fixture.ts'
import type { OpenedStore } from './fixture.ts'

const needs = ['read', 'write', 'own'] as const
type Need = (typeof needs)[number]

/** Every call on a bucket's inside, and the least right that it takes. */
const calls: readonly [string, Need, (session: O3Session, upload: string) => Promise<unknown>][] = [
  ['info', 'read', (session) => session.buckets.info(bucket)],
  ['list', 'read', (session) => session.keys.list(bucket, { limit: 1 })],
  ['list uploads', 'read', (session) => session.uploads.list(bucket, { limit: 1 })],
  ['get', 'read', (session) => session.keys.get(keyRef('k'))],
  ['head', 'read', (session) => session.keys.head(keyRef('k'))],
  ['put', 'write', (session) => put(session, 'k', 'x')],
  ['tag', 'write', (session) => session.keys.setTags(keyRef('k'), {})],
  ['copy', 'write', (session) => session.keys.copy(keyRef('k'), keyRef('c'), { preconditions: {} })],
  ['rename', 'write', (session) => session.keys.rename(keyRef('r'), 'r')],
  ['delete', 'write', (session) => session.keys.delete(keyRef('d'))],
  ['delete many', 'write', (session) => session.keys.deleteMany(bucket, [{ key: 'd' }])],
  ['start an upload', 'write', (session) => session.uploads.start(keyRef('u'), { attributes: noAttributes })],
  ['show an upload', 'write', (session, id) => session.uploads.info(keyRef('u'), id)],
  ['put a part', 'write', (session, id) => session.uploads.putPart(keyRef('u'), id, 1, text('x'), partPut)],
  ['copy a part', 'write', (session, id) => session.uploads.copyPart(keyRef('u'), id, 2, keyRef('k'), {})],
  ['list parts', 'write', (session, id) => session.uploads.parts(keyRef('u'), id, { limit: 1 })],
  ['update', 'own', (session) => session.buckets.update(bucket, { metadata: {} })],
]

const partPut = { digests: [], finish: () => ({ etag: 'e' }) }

type Role = readonly [string, { volume?: VolumeRight; bucket?: BucketRight }, readonly Need[]]

const roles: readonly Role[] = [
  ['nobody', {}, []],
  ['may create buckets', { volume: 'create-bucket' }, []],
  ['reads the bucket', { bucket: 'read' }, ['read']],
  ['writes the bucket', { bucket: 'write' }, ['read', 'write']],
  ['has all of the bucket', { bucket: 'all' }, needs],
  ['reads the volume', { volume: 'read' }, ['read']],
  ['has all of the volume', { volume: 'all' }, needs],
]

export function rightsContract(opened: () => OpenedStore): void {
  describe.each(roles)('who %s', (_, granted, allowed) => {
    test(`may ${allowed.join(', ') || 'nothing'}`, async () => {
      const root = await withBucket(opened().store)
      for (const key of ['k', 'r', 'd']) await put(root, key, key)
      const { id } = await root.uploads.start(keyRef('u'), { attributes: noAttributes })
      if (granted.volume !== undefined) await root.volumes.update('vol', { members: { alice: granted.volume } })
      if (granted.bucket !== undefined) await root.buckets.update(bucket, { members: { alice: granted.bucket } })
      const session = opened().store.session(alice)
      for (const [name, need, call] of calls) {
        const outcome = await call(session, id).then(
          () => 'allowed',
          (error: { code?: string }) => error.code,
        )
        expect(`${name}: ${outcome}`).toBe(`${name}: ${allowed.includes(need) ? 'allowed' : 'AccessDenied'}`)
      }
    })
  })

  test('the owner of a bucket may all, and a stranger learns nothing of its keys', async () => {
    const root = await withBucket(opened().store)
    await root.buckets.update(bucket, { owner: 'alice' })
    const own = opened().store.session(alice)
    await put(own, 'k', 'x')
    const stranger = opened().store.session(bob)
    for (const key of ['k', 'none', 'x'.repeat(2000)]) {
      await expectRefusal(stranger.keys.get(keyRef(key), { conditions: { ifNoneMatch: '*' } }), 'AccessDenied')
      await expectRefusal(stranger.keys.head(keyRef(key)), 'AccessDenied')
      await expectRefusal(stranger.keys.delete(keyRef(key)), 'AccessDenied')
    }
    await expectRefusal(stranger.buckets.delete(bucket), 'AccessDenied')
    await own.keys.delete(keyRef('k'))
    await own.buckets.delete(bucket)
  })

  test('a bucket that is not there is not there for anybody, a volume is denied to strangers', async () => {
    await withBucket(opened().store)
    const session = opened().store.session(alice)
    await expectRefusal(session.buckets.info({ ...bucket, bucket: 'none' }), 'BucketNotFound')
    for (const name of ['vol', 'none']) {
      await expectRefusal(session.volumes.info(name), 'AccessDenied')
      await expectRefusal(session.volumes.update(name, {}), 'AccessDenied')
      await expectRefusal(session.volumes.delete(name), 'AccessDenied')
      await expectRefusal(session.buckets.create({ volume: name, bucket: 'mine' }), 'AccessDenied')
      expect(await session.buckets.list(name, { limit: 10 })).toEqual({ items: [], truncated: false })
    }
  })

  test('copying takes a right on each side', async () => {
    const root = await withBucket(opened().store)
    const other = { volume: 'vol', bucket: 'other' }
    await root.buckets.create(other)
    await put(root, 'k', 'x')
    const session = opened().store.session(alice)
    const copy = () => session.keys.copy(keyRef('k'), { ...other, key: 'k' }, { preconditions: {} })
    await root.buckets.update(bucket, { members: { alice: 'read' } })
    await expectRefusal(copy(), 'AccessDenied')
    await root.buckets.update(other, { members: { alice: 'write' } })
    await copy()
    await root.buckets.update(bucket, { members: { alice: null } })
    await expectRefusal(copy(), 'AccessDenied')
  })

  test('a member right of everyone is everybody’s', async () => {
    const root = await withBucket(opened().store)
    await root.volumes.update('vol', { members: { '*': 'create-bucket' } })
    const session = opened().store.session(alice)
    const mine = await session.buckets.create({ volume: 'vol', bucket: 'mine' })
    expect(mine.owner).toBe('alice')
    await session.buckets.create({ volume: 'vol', bucket: 'mine-2' })
    const list = async (options: { limit: number; after?: string; prefix?: string }) => {
      const { items, truncated } = await session.buckets.list('vol', options)
      return [...items.map(({ name }) => name), truncated]
    }
    expect(await list({ limit: 10 })).toEqual(['mine', 'mine-2', false])
    expect(await list({ limit: 1 })).toEqual(['mine', true])
    expect(await list({ limit: 2 })).toEqual(['mine', 'mine-2', false])
    expect(await list({ limit: 2, after: 'mine' })).toEqual(['mine-2', false])
    await root.buckets.update(bucket, { members: { '*': 'read' } })
    expect(await list({ limit: 10 })).toEqual(['buck', 'mine', 'mine-2', false])
  })

  test('only administrators create volumes, and lift quotas', async () => {
    const root = opened().store.session({ user: 'admin', admin: true })
    await root.volumes.create('vol', { owner: 'alice' })
    const owner = opened().store.session(alice)
    await expectRefusal(owner.volumes.create('vol2'), 'AccessDenied')
    await expectRefusal(owner.volumes.update('vol', { quota: {} }), 'AccessDenied')
    await expectRefusal(owner.volumes.update('vol', { owner: 'bob' }), 'AccessDenied')
    await owner.volumes.update('vol', { members: { bob: 'create-bucket' } })
    await opened().store.session(bob).buckets.create(bucket)
    const names = async (session: O3Session) =>
      (await session.volumes.list({ limit: 10 })).items.map(({ name }) => name)
    expect(await names(owner)).toEqual(['vol'])
    expect(await names(opened().store.session({ user: 'eve', admin: false }))).toEqual([])
    await owner.buckets.delete(bucket)
    await owner.volumes.delete('vol')
  })

  test('the cluster is shown to administrators', async () => {
    const root = opened().store.session({ user: 'admin', admin: true })
    const { containers, pendingDeletionBlocks } = await root.admin.summary()
    expect(containers.DELETED).toBeGreaterThanOrEqual(0)
    expect(pendingDeletionBlocks).toBeGreaterThanOrEqual(0)
    expect(Array.isArray(await root.admin.nodes())).toBe(true)
    expect(Array.isArray(await root.admin.containers({ limit: 10 }))).toBe(true)
    const session = opened().store.session(alice)
    await expectRefusal(session.admin.summary(), 'AccessDenied')
    await expectRefusal(session.admin.nodes(), 'AccessDenied')
    await expectRefusal(session.admin.containers({ limit: 1 }), 'AccessDenied')
    await expectRefusal(session.admin.audit(), 'AccessDenied')
  })

  test('what a later release brings says so', async () => {
    const session = await withBucket(opened().store)
    const { tree, snapshots } = session
    await expectRefusal(tree.stat(keyRef('k')), 'NotImplemented')
    await expectRefusal(tree.append(keyRef('k'), text('x')), 'NotImplemented')
    await expectRefusal(snapshots.create(bucket, 's'), 'NotImplemented')
    await expectRefusal(snapshots.diff(bucket, 'a', 'b')[Symbol.asyncIterator]().next(), 'NotImplemented')
    await expectRefusal(session.buckets.link(bucket, bucket), 'NotImplemented')
  })
}
