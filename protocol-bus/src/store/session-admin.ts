import type { Admin, ContainerInfo, DatanodeInfo, Principal, ScmSummary } from '../api/api.ts'
import { pageLimit } from '../core/page-limit.ts'
import type { StoreParts } from './parts.ts'
import { agreed } from './refused.ts'

export class SessionAdmin implements Admin {
  private readonly parts: StoreParts
  private readonly principal: Principal

  constructor(parts: StoreParts, principal: Principal) {
    this.parts = parts
    this.principal = principal
  }

  async summary(): Promise<ScmSummary> {
    this.parts.rights.onCluster(this.principal, 'cluster:admin')
    return this.parts.scm.summary()
  }

  async nodes(): Promise<readonly DatanodeInfo[]> {
    this.parts.rights.onCluster(this.principal, 'cluster:admin')
    return this.parts.scm.listNodes()
  }

  async containers(options: { readonly after?: number; readonly limit: number }): Promise<readonly ContainerInfo[]> {
    this.parts.rights.onCluster(this.principal, 'cluster:admin')
    const limit = agreed(pageLimit(options.limit))
    return this.parts.scm.listContainers({ ...(options.after === undefined ? {} : { after: options.after }), limit })
  }

  async audit(): Promise<readonly string[]> {
    return this.parts.namespace.audit(this.parts.rights.onCluster(this.principal, 'cluster:admin'))
  }
}
