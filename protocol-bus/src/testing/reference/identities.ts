import { StoreError } from '@o3/common/errors'
import type { Identities, IdentityAdmin, Principal, User } from '../../api/api.ts'
import { newAccessKey } from '../../core/access-key.ts'
import { permit } from './context.ts'
import type { ReferenceContext } from './context.ts'
import { maxAccessKeysPerUser } from './limits.ts'
import { byteOrder, firstPage } from './listing.ts'
import { checkAccessKeyId, checkUserName } from './names.ts'
import type { Mutable, StoredAccessKey } from './records.ts'

export function referenceIdentityAdmin(context: ReferenceContext, principal: Principal): IdentityAdmin {
  const { users, accessKeys } = context.records

  function userFor(action: 'identity:admin' | 'identity:read' | 'access-key:manage', name: string): Mutable<User> {
    permit(principal, action, { kind: 'user', user: name })
    const user = users.get(name)
    if (user === undefined) throw new StoreError('UserNotFound', 'no such user', { details: { user: name } })
    return user
  }

  /** Whose key an id is, is not for strangers: to them an unknown id is denied like a foreign one. */
  function accessKeyFor(id: string): StoredAccessKey {
    const key = accessKeys.get(id)
    permit(principal, 'access-key:manage', { kind: 'user', user: key?.info.user ?? '' })
    if (key === undefined) throw new StoreError('AccessKeyNotFound', 'no such access key', { details: { id } })
    return key
  }

  return {
    async createUser(name, options = {}) {
      permit(principal, 'identity:admin', { kind: 'user', user: name })
      checkUserName(name)
      if (users.has(name)) throw new StoreError('UserAlreadyExists', 'the user exists already')
      const user = { name, admin: options.admin ?? false, enabled: true, createdMs: context.clock.wallMs() }
      users.set(name, user)
      return { ...user }
    },

    async updateUser(name, changes) {
      const user = userFor('identity:admin', name)
      user.admin = changes.admin ?? user.admin
      user.enabled = changes.enabled ?? user.enabled
      return { ...user }
    },

    async deleteUser(name) {
      userFor('identity:admin', name)
      const volumes = [...context.records.volumes.values()]
      const owners = volumes.flatMap(({ row, buckets }) => [row, ...[...buckets.values()].map((bucket) => bucket.row)])
      if (owners.some(({ owner }) => owner === name))
        throw new StoreError('UserInUse', 'the user owns a volume or a bucket')
      users.delete(name)
      for (const [id, key] of accessKeys) if (key.info.user === name) accessKeys.delete(id)
    },

    async listUsers(options) {
      permit(principal, 'identity:admin', { kind: 'user', user: '' })
      const names = [...users.keys()].filter((name) => name > (options.after ?? '')).toSorted(byteOrder)
      const page = firstPage(names, options.limit)
      return { ...page, items: page.items.map((name) => ({ ...users.get(name)! })) }
    },

    async getUser(name) {
      return { ...userFor('identity:read', name) }
    },

    async createAccessKey(name, given) {
      userFor('access-key:manage', name)
      // A chosen secret is as good as who chose it: first start and migrations, by administrators.
      if (given !== undefined) permit(principal, 'identity:admin', { kind: 'user', user: name })
      const { id, secret } = given ?? newAccessKey(context.random)
      checkAccessKeyId(id)
      if (accessKeys.has(id)) throw new StoreError('KeyAlreadyExists', 'the access key id is taken')
      const theirs = [...accessKeys.values()].filter(({ info }) => info.user === name)
      if (theirs.length >= maxAccessKeysPerUser) throw new StoreError('TooManyEntries', 'too many access keys')
      accessKeys.set(id, { info: { id, user: name, enabled: true, createdMs: context.clock.wallMs() }, secret })
      return { id, secret }
    },

    async updateAccessKey(id, changes) {
      accessKeyFor(id).info.enabled = changes.enabled
    },

    async deleteAccessKey(id) {
      accessKeyFor(id)
      accessKeys.delete(id)
    },

    /** Without a user: everybody's to administrators, one's own to others. */
    async listAccessKeys(options) {
      const user = options.user ?? (principal.admin ? undefined : principal.user)
      if (user !== undefined) permit(principal, 'access-key:manage', { kind: 'user', user })
      const infos = [...accessKeys.values()]
        .map(({ info }) => ({ ...info }))
        .filter((info) => (user === undefined || info.user === user) && info.id > (options.after ?? ''))
        .toSorted((a, b) => byteOrder(a.id, b.id))
      return firstPage(infos, options.limit)
    },
  }
}

export function referenceIdentities(context: ReferenceContext): Identities {
  const { users, accessKeys } = context.records
  return {
    lookup(id) {
      const key = accessKeys.get(id)
      const user = key === undefined ? undefined : users.get(key.info.user)
      if (key === undefined || user === undefined || !key.info.enabled || !user.enabled) return undefined
      return { accessKeyId: id, secret: key.secret, principal: { user: user.name, admin: user.admin } }
    },
  }
}
