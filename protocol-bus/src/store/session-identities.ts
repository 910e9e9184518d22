/** Users and access keys, for administrators, and for users their own. */

import { isStoreError, StoreError } from '@o3/common/errors'
import type { AccessKeyInfo, IdentityAdmin, Page, Principal, User } from '../api/api.ts'
import { newAccessKey } from '../core/access-key.ts'
import type { Grant } from '../core/authorize.ts'
import { pageLimit } from '../core/page-limit.ts'
import type { StoreParts } from './parts.ts'
import { agreed } from './refused.ts'

export class SessionIdentities implements IdentityAdmin {
  private readonly parts: StoreParts
  private readonly principal: Principal

  constructor(parts: StoreParts, principal: Principal) {
    this.parts = parts
    this.principal = principal
  }

  async createUser(user: string, options: { readonly admin?: boolean } = {}): Promise<User> {
    const grant = this.parts.rights.onUser(this.principal, 'identity:admin', user)
    return this.parts.namespace.createUser(grant, { admin: options.admin ?? false })
  }

  async updateUser(user: string, changes: { readonly admin?: boolean; readonly enabled?: boolean }): Promise<User> {
    const grant = this.parts.rights.onUser(this.principal, 'identity:admin', user)
    return this.parts.namespace.updateUser(grant, changes)
  }

  async deleteUser(user: string): Promise<void> {
    await this.parts.namespace.deleteUser(this.parts.rights.onUser(this.principal, 'identity:admin', user))
  }

  async listUsers(options: { readonly after?: string; readonly limit: number }): Promise<Page<User>> {
    const grant = this.parts.rights.onUser(this.principal, 'identity:admin', '')
    const limit = agreed(pageLimit(options.limit))
    if (limit === 0) return { items: [], truncated: false }
    return this.parts.namespace.listUsers(grant, { after: options.after ?? '', limit })
  }

  async getUser(user: string): Promise<User> {
    return this.parts.namespace.user(this.parts.rights.onUser(this.principal, 'identity:read', user))
  }

  async createAccessKey(
    user: string,
    given?: { readonly id: string; readonly secret: string },
  ): Promise<{ readonly id: string; readonly secret: string }> {
    const { rights, random, keyring, namespace } = this.parts
    const grant = rights.onUser(this.principal, 'access-key:manage', user)
    // A chosen secret is as good as who chose it: first start and migrations, by administrators.
    if (given !== undefined) rights.onUser(this.principal, 'identity:admin', user)
    const { id, secret } = given ?? newAccessKey(random)
    await namespace.createAccessKey(grant, id, keyring.seal(id, secret))
    return { id, secret }
  }

  async updateAccessKey(id: string, changes: { readonly enabled: boolean }): Promise<void> {
    await this.parts.namespace.updateAccessKey(await this.grantOn(id), id, changes.enabled)
  }

  async deleteAccessKey(id: string): Promise<void> {
    await this.parts.namespace.deleteAccessKey(await this.grantOn(id), id)
  }

  /** Without a user: everybody's to administrators, one's own to others. */
  async listAccessKeys(options: {
    readonly user?: string
    readonly after?: string
    readonly limit: number
  }): Promise<Page<AccessKeyInfo>> {
    const user = options.user ?? (this.principal.admin ? '' : this.principal.user)
    const grant = this.parts.rights.onUser(this.principal, 'access-key:manage', user)
    const limit = agreed(pageLimit(options.limit))
    if (limit === 0) return { items: [], truncated: false }
    const page = await this.parts.namespace.listAccessKeys(grant, { after: options.after ?? '', limit })
    const items = page.items.map(({ id, user: of, enabled, createdMs }) => ({ id, user: of, enabled, createdMs }))
    return { items, truncated: page.truncated }
  }

  /** Whose key an id is, is not for strangers: to them an unknown id is denied like a foreign one. */
  private async grantOn(id: string): Promise<Grant<'access-key:manage'>> {
    const { rights, namespace } = this.parts
    try {
      return rights.onUser(this.principal, 'access-key:manage', await namespace.userOfAccessKey(id))
    } catch (error) {
      if (isStoreError(error, 'AccessKeyNotFound') && !this.principal.admin) {
        throw new StoreError('AccessDenied', 'access denied', { cause: error })
      }
      throw error
    }
  }
}
