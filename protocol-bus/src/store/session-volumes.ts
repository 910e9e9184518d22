import type { Page, Principal, Quota, Volume, VolumeRight, Volumes } from '../api/api.ts'
import type { StoreParts } from './parts.ts'

export class SessionVolumes implements Volumes {
  private readonly parts: StoreParts
  private readonly principal: Principal

  constructor(parts: StoreParts, principal: Principal) {
    this.parts = parts
    this.principal = principal
  }

  async create(volume: string, options: { readonly owner?: string; readonly quota?: Quota } = {}): Promise<Volume> {
    const grant = this.parts.rights.onCluster(this.principal, 'volume:create')
    const { owner = this.principal.user, quota = {} } = options
    return this.parts.namespace.createVolume(grant, { volume, owner, quota })
  }

  list(options: { readonly after?: string; readonly prefix?: string; readonly limit: number }): Promise<Page<Volume>> {
    return this.parts.lists.volumes(this.principal, options)
  }

  async info(volume: string): Promise<Volume> {
    return this.parts.namespace.volume(await this.parts.rights.onVolume(this.principal, 'volume:read', volume))
  }

  async update(
    volume: string,
    changes: {
      readonly owner?: string
      readonly quota?: Quota
      readonly members?: Readonly<Record<string, VolumeRight | null>>
      readonly metadata?: Readonly<Record<string, string>>
    },
  ): Promise<Volume> {
    const { rights, namespace } = this.parts
    const grant = await rights.onVolume(this.principal, 'volume:update', volume)
    const { owner, quota, ...own } = changes
    if (owner === undefined && quota === undefined) return namespace.updateVolume(grant, own)
    // An owner who could lift the quota that an administrator set would have none.
    const administered = {
      grant: rights.onCluster(this.principal, 'cluster:admin'),
      ...(owner === undefined ? {} : { owner }),
      ...(quota === undefined ? {} : { quota }),
    }
    return namespace.updateVolume(grant, own, administered)
  }

  async delete(volume: string): Promise<void> {
    const grant = await this.parts.rights.onVolume(this.principal, 'volume:delete', volume)
    await this.parts.namespace.deleteVolume(grant)
  }
}
