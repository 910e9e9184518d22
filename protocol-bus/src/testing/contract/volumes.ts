import { describe, expect, test } from 'vitest'
import { admin, bucket, expectRefusal, keyRef, noAttributes, pattern, put, text, withBucket } from './fixture.ts'
import type { OpenedStore } from './fixture.ts'

const badNames = ['', 'ab', 'x'.repeat(64), 'Upper', 'a_b', '-ab', 'ab-', 'a..b', '192.168.1.1', 'a/b', 'ä-b']

export function volumeContract(opened: () => OpenedStore): void {
  describe('volumes', () => {
    test('are created, shown, changed and deleted', async () => {
      const session = opened().store.session(admin)
      const created = await session.volumes.create('vol', { owner: 'alice', quota: { bytes: 10 } })
      expect(created).toMatchObject({
        name: 'vol',
        owner: 'alice',
        quota: { bytes: 10 },
        usage: { bytes: 0, keys: 0, buckets: 0 },
        members: {},
        metadata: {},
      })
      expect(await session.volumes.info('vol')).toEqual(created)
      await expectRefusal(session.volumes.create('vol'), 'VolumeAlreadyExists')
      const changes = { owner: 'bob', quota: {}, members: { eve: 'read' }, metadata: { a: 'b' } } as const
      expect(await session.volumes.update('vol', changes)).toMatchObject(changes)
      const changed = await session.volumes.update('vol', { members: { eve: null, dan: 'all' } })
      expect(changed).toMatchObject({ owner: 'bob', members: { dan: 'all' }, metadata: { a: 'b' } })
      await session.volumes.delete('vol')
      await expectRefusal(session.volumes.info('vol'), 'VolumeNotFound')
      await expectRefusal(session.volumes.delete('vol'), 'VolumeNotFound')
      await expectRefusal(session.volumes.update('vol', {}), 'VolumeNotFound')
    })

    test.each(badNames)('are not called %j', async (name) => {
      await expectRefusal(opened().store.session(admin).volumes.create(name), 'InvalidName')
    })

    test('have quotas that are counts', async () => {
      const session = opened().store.session(admin)
      await expectRefusal(session.volumes.create('vol', { quota: { bytes: -1 } }), 'InvalidArgument')
      await session.volumes.create('vol')
      await expectRefusal(session.volumes.update('vol', { quota: { keys: 0.5 } }), 'InvalidArgument')
    })

    test('are listed in pages', async () => {
      const session = opened().store.session(admin)
      for (const name of ['vol-b', 'vol-a', 'other', 'vol-c']) await session.volumes.create(name)
      const list = async (options: Partial<Parameters<typeof session.volumes.list>[0]>) => {
        const { items, truncated } = await session.volumes.list({ limit: 10, ...options })
        return [...items.map(({ name }) => name), truncated]
      }
      expect(await list({})).toEqual(['other', 'vol-a', 'vol-b', 'vol-c', false])
      expect(await list({ prefix: 'vol-', limit: 2 })).toEqual(['vol-a', 'vol-b', true])
      expect(await list({ prefix: 'vol-', after: 'vol-b' })).toEqual(['vol-c', false])
      expect(await list({ limit: 0 })).toEqual([false])
    })

    test('with a bucket stay', async () => {
      const session = await withBucket(opened().store)
      await expectRefusal(session.volumes.delete('vol'), 'VolumeNotEmpty')
      await session.buckets.delete(bucket)
      await session.volumes.delete('vol')
    })
  })

  describe('buckets', () => {
    test('are created, shown, changed and deleted', async () => {
      const session = opened().store.session(admin)
      await session.volumes.create('vol')
      const created = await session.buckets.create(bucket, { tags: { a: '1' } })
      expect(created).toMatchObject({
        volume: 'vol',
        name: 'buck',
        owner: 'admin',
        replication: 'RATIS/ONE',
        quota: {},
        usage: { bytes: 0, keys: 0 },
        uploads: 0,
        members: {},
        tags: { a: '1' },
      })
      expect(await session.buckets.info(bucket)).toEqual(created)
      await expectRefusal(session.buckets.create(bucket), 'BucketAlreadyExists')
      const changes = {
        owner: 'bob',
        quota: { keys: 3 },
        members: { eve: 'write' },
        tags: {},
        metadata: { b: 'c' },
      } as const
      expect(await session.buckets.update(bucket, changes)).toMatchObject(changes)
      expect((await session.volumes.info('vol')).usage.buckets).toBe(1)
      await session.buckets.delete(bucket)
      await expectRefusal(session.buckets.info(bucket), 'BucketNotFound')
      await expectRefusal(session.buckets.delete(bucket), 'BucketNotFound')
      await expectRefusal(session.buckets.update(bucket, {}), 'BucketNotFound')
      expect((await session.volumes.info('vol')).usage.buckets).toBe(0)
    })

    test.each(badNames)('are not called %j', async (name) => {
      const session = opened().store.session(admin)
      await session.volumes.create('vol')
      await expectRefusal(session.buckets.create({ volume: 'vol', bucket: name }), 'InvalidName')
    })

    test('of one name may be in several volumes', async () => {
      const session = await withBucket(opened().store)
      await session.volumes.create('vol2')
      await session.buckets.create({ ...bucket, volume: 'vol2' })
      await put(session, 'k', 'x')
      await expectRefusal(session.keys.head({ ...keyRef('k'), volume: 'vol2' }), 'KeyNotFound')
      await expectRefusal(session.buckets.create({ ...bucket, volume: 'none' }), 'VolumeNotFound')
      await expectRefusal(session.buckets.list('none', { limit: 1 }), 'VolumeNotFound')
    })

    test('are listed in pages', async () => {
      const session = opened().store.session(admin)
      await session.volumes.create('vol')
      for (const name of ['b-2', 'b-1', 'a-1']) await session.buckets.create({ volume: 'vol', bucket: name })
      const list = async (options: Partial<Parameters<typeof session.buckets.list>[1]>) => {
        const { items, truncated } = await session.buckets.list('vol', { limit: 10, ...options })
        return [...items.map(({ name }) => name), truncated]
      }
      expect(await list({})).toEqual(['a-1', 'b-1', 'b-2', false])
      expect(await list({ limit: 2 })).toEqual(['a-1', 'b-1', true])
      expect(await list({ prefix: 'b' })).toEqual(['b-1', 'b-2', false])
      expect(await list({ prefix: 'b', after: 'b-1' })).toEqual(['b-2', false])
      expect(await list({ limit: 0 })).toEqual([false])
    })

    test('with a key stay', async () => {
      const session = await withBucket(opened().store)
      await put(session, 'k', '')
      await expectRefusal(session.buckets.delete(bucket), 'BucketNotEmpty')
      await session.keys.delete(keyRef('k'))
      await session.buckets.delete(bucket)
    })

    test('that come again are empty', async () => {
      const session = await withBucket(opened().store)
      await put(session, 'k', 'old')
      await session.keys.delete(keyRef('k'))
      await session.buckets.delete(bucket)
      await session.buckets.create(bucket)
      await expectRefusal(session.keys.head(keyRef('k')), 'KeyNotFound')
      expect((await session.keys.list(bucket, { limit: 1 })).items).toEqual([])
    })
  })

  describe('usage and quotas', () => {
    test('count every key and part, in bucket and volume', async () => {
      const session = await withBucket(opened().store)
      await put(session, 'a', pattern(10))
      await put(session, 'd/', '')
      await put(session, 'b', pattern(100_000))
      const upload = await session.uploads.start(keyRef('u'), { attributes: noAttributes })
      const part = { digests: [], finish: () => ({ etag: 'e' }) }
      await session.uploads.putPart(keyRef('u'), upload.id, 1, pattern(7), part)
      await session.keys.copy(keyRef('b'), keyRef('c'), { preconditions: {} })
      expect(await session.buckets.info(bucket)).toMatchObject({ usage: { bytes: 200_017, keys: 4 }, uploads: 1 })
      expect((await session.volumes.info('vol')).usage).toEqual({ bytes: 200_017, keys: 4, buckets: 1 })
      await session.keys.deleteMany(bucket, [{ key: 'b' }, { key: 'a' }])
      await session.uploads.abort(keyRef('u'), upload.id)
      expect((await session.volumes.info('vol')).usage).toEqual({ bytes: 100_000, keys: 2, buckets: 1 })
      expect(await session.admin.audit()).toEqual([])
    })

    test.each([
      ['bytes of the bucket', { bytes: 10 }, {}],
      ['keys of the bucket', { keys: 1 }, {}],
      ['bytes of the volume', {}, { bytes: 10 }],
      ['keys of the volume', {}, { keys: 1 }],
    ])('bound the %s', async (_, bucketQuota, volumeQuota) => {
      const session = await withBucket(opened().store, bucketQuota)
      await session.volumes.update('vol', { quota: volumeQuota })
      await put(session, 'a', pattern(10))
      await expectRefusal(put(session, 'b', 'x'), 'QuotaExceeded')
      await expectRefusal(session.keys.copy(keyRef('a'), keyRef('b'), { preconditions: {} }), 'QuotaExceeded')
      // What does not grow may always come.
      await put(session, 'a', pattern(10, 1))
      await put(session, 'a', text('shorter'))
      await session.keys.delete(keyRef('a'))
      await put(session, 'b', 'x')
    })

    test('bound parts too', async () => {
      const session = await withBucket(opened().store, { bytes: 10 })
      const upload = await session.uploads.start(keyRef('u'), { attributes: noAttributes })
      const part = { digests: [], finish: () => ({ etag: 'e' }) }
      await session.uploads.putPart(keyRef('u'), upload.id, 1, pattern(10), part)
      await expectRefusal(session.uploads.putPart(keyRef('u'), upload.id, 2, pattern(1), part), 'QuotaExceeded')
      await session.uploads.complete(keyRef('u'), upload.id, [{ number: 1, etag: 'e' }], {
        finish: () => ({ etag: 'whole' }),
        preconditions: {},
        minPartBytes: 0,
      })
      expect((await session.buckets.info(bucket)).usage).toEqual({ bytes: 10, keys: 1 })
    })

    test('lowered since, let an upload be completed with what it holds already', async () => {
      const session = await withBucket(opened().store)
      const upload = await session.uploads.start(keyRef('u'), { attributes: noAttributes })
      const part = { digests: [], finish: () => ({ etag: 'e' }) }
      await session.uploads.putPart(keyRef('u'), upload.id, 1, pattern(10), part)
      await session.buckets.update(bucket, { quota: { bytes: 5 } })
      await session.uploads.complete(keyRef('u'), upload.id, [{ number: 1, etag: 'e' }], {
        finish: () => ({ etag: 'whole' }),
        preconditions: {},
        minPartBytes: 0,
      })
      expect((await session.buckets.info(bucket)).usage).toEqual({ bytes: 10, keys: 1 })
      await expectRefusal(put(session, 'v', 'x'), 'QuotaExceeded')
    })

    test('bound the buckets of a volume', async () => {
      const session = opened().store.session(admin)
      await session.volumes.create('vol', { quota: { buckets: 1 } })
      await session.buckets.create(bucket)
      await expectRefusal(session.buckets.create({ ...bucket, bucket: 'two' }), 'QuotaExceeded')
      await session.buckets.delete(bucket)
      await session.buckets.create({ ...bucket, bucket: 'two' })
    })
  })
}
