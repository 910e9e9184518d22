import { expect, test } from 'vitest'
import type { O3Session } from '../../api/api.ts'
import { admin, alice, bob, bucket, expectRefusal } from './fixture.ts'
import type { OpenedStore } from './fixture.ts'

export function identityContract(opened: () => OpenedStore): void {
  const root = (): O3Session => opened().store.session(admin)
  const lookup = async (id: string) => opened().identities.lookup(id)

  test('users are created, shown, changed, listed and deleted', async () => {
    const { identities } = root()
    const created = await identities.createUser('alice')
    expect(created).toMatchObject({ name: 'alice', admin: false, enabled: true })
    expect(await identities.getUser('alice')).toEqual(created)
    await expectRefusal(identities.createUser('alice'), 'UserAlreadyExists')
    await identities.createUser('bob', { admin: true })
    expect(await identities.updateUser('alice', { admin: true, enabled: false })).toMatchObject({
      admin: true,
      enabled: false,
    })
    const names = async (options: { after?: string; limit: number }) => {
      const { items, truncated } = await identities.listUsers(options)
      return [...items.map(({ name }) => name), truncated]
    }
    expect(await names({ limit: 1 })).toEqual(['alice', true])
    expect(await names({ after: 'alice', limit: 5 })).toEqual(['bob', false])
    await identities.deleteUser('alice')
    await expectRefusal(identities.getUser('alice'), 'UserNotFound')
    await expectRefusal(identities.updateUser('alice', {}), 'UserNotFound')
    await expectRefusal(identities.deleteUser('alice'), 'UserNotFound')
  })

  test.each(['', '*', 'a b', 'ä', 'x'.repeat(65), '-a'])('nobody is called %j', async (name) => {
    await expectRefusal(root().identities.createUser(name), 'InvalidName')
  })

  test('an access key leads to its secret and its user', async () => {
    const { identities } = root()
    await identities.createUser('alice')
    const { id, secret } = await identities.createAccessKey('alice')
    expect(id).toMatch(/^[A-Z0-9]{20}$/)
    expect(secret).toMatch(/^[A-Za-z0-9._]{40}$/)
    expect(await lookup(id)).toEqual({ accessKeyId: id, secret, principal: alice })
    expect(await lookup(id)).toEqual(await lookup(id))
    expect(await lookup('nobody')).toBeUndefined()
    await expectRefusal(identities.createAccessKey('nobody'), 'UserNotFound')
  })

  test('an administrator may choose id and secret', async () => {
    const { identities } = root()
    await identities.createUser('alice')
    const given = { id: 'my-own.key_1', secret: 'a secret with ünicode' }
    expect(await identities.createAccessKey('alice', given)).toEqual(given)
    expect(await lookup(given.id)).toMatchObject({ secret: given.secret })
    await expectRefusal(identities.createAccessKey('alice', given), 'KeyAlreadyExists')
    await expectRefusal(identities.createAccessKey('alice', { id: 'no good', secret: 'x' }), 'InvalidName')
  })

  test('what is disabled or deleted is gone at the next request, and comes back', async () => {
    const { identities } = root()
    await identities.createUser('alice')
    const { id } = await identities.createAccessKey('alice')
    expect(await lookup(id)).toBeDefined()
    await identities.updateAccessKey(id, { enabled: false })
    expect(await lookup(id)).toBeUndefined()
    await identities.updateAccessKey(id, { enabled: true })
    await identities.updateUser('alice', { enabled: false })
    expect(await lookup(id)).toBeUndefined()
    await identities.updateUser('alice', { enabled: true, admin: true })
    expect(await lookup(id)).toMatchObject({ principal: { user: 'alice', admin: true } })
    await identities.deleteAccessKey(id)
    expect(await lookup(id)).toBeUndefined()
    const other = await identities.createAccessKey('alice')
    await identities.deleteUser('alice')
    expect(await lookup(other.id)).toBeUndefined()
  })

  test('one who owns a bucket or a volume is not deleted', async () => {
    const session = root()
    await session.identities.createUser('alice')
    await session.volumes.create('vol', { owner: 'alice' })
    await expectRefusal(session.identities.deleteUser('alice'), 'UserInUse')
    await session.volumes.update('vol', { owner: 'admin' })
    await session.buckets.create(bucket)
    await session.buckets.update(bucket, { owner: 'alice' })
    await expectRefusal(session.identities.deleteUser('alice'), 'UserInUse')
    await session.buckets.delete(bucket)
    await session.identities.deleteUser('alice')
  })

  test('users manage their own access keys, and see nobody else', async () => {
    const { identities } = root()
    await identities.createUser('alice')
    await identities.createUser('bob')
    const foreign = await identities.createAccessKey('bob')
    const own = opened().store.session(alice).identities
    const mine = await own.createAccessKey('alice')
    const ids = async (admins: typeof own, options: { user?: string; after?: string; limit: number }) =>
      (await admins.listAccessKeys(options)).items.map(({ id, user }) => `${user}:${id}`)
    expect(await ids(own, { limit: 10 })).toEqual([`alice:${mine.id}`])
    expect(await ids(identities, { limit: 10 })).toEqual([`alice:${mine.id}`, `bob:${foreign.id}`].toSorted(byId))
    expect(await ids(identities, { user: 'bob', limit: 10 })).toEqual([`bob:${foreign.id}`])
    expect(await own.getUser('alice')).toMatchObject({ name: 'alice' })
    await own.updateAccessKey(mine.id, { enabled: false })
    await own.deleteAccessKey(mine.id)
    for (const id of [foreign.id, 'unknown']) {
      await expectRefusal(own.updateAccessKey(id, { enabled: false }), 'AccessDenied')
      await expectRefusal(own.deleteAccessKey(id), 'AccessDenied')
    }
    await expectRefusal(identities.deleteAccessKey('unknown'), 'AccessKeyNotFound')
    await expectRefusal(own.createAccessKey('bob'), 'AccessDenied')
    await expectRefusal(own.createAccessKey('alice', { id: 'chosen', secret: 'chosen' }), 'AccessDenied')
    await expectRefusal(own.listAccessKeys({ user: 'bob', limit: 1 }), 'AccessDenied')
    await expectRefusal(own.getUser('bob'), 'AccessDenied')
    await expectRefusal(own.getUser('unknown'), 'AccessDenied')
    await expectRefusal(own.listUsers({ limit: 1 }), 'AccessDenied')
    await expectRefusal(own.createUser('eve'), 'AccessDenied')
    await expectRefusal(own.updateUser('alice', { admin: true }), 'AccessDenied')
    await expectRefusal(own.deleteUser('alice'), 'AccessDenied')
    await expectRefusal(opened().store.session(bob).identities.deleteAccessKey(mine.id), 'AccessDenied')
  })
}

function byId(a: string, b: string): number {
  const idOf = (text: string): string => text.slice(text.indexOf(':'))
  return idOf(a) < idOf(b) ? -1 : 1
}
