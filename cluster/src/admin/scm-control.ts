/** SCM and the datanodes of a cluster as an administrator reaches them from outside, by the cluster file. */

import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { GroupClient, keyClient } from '@o3/common/rpc'
import type { Datanode } from '@o3/hdds/api'
import { DatanodeDirectory } from '@o3/hdds/client'
import { RemoteScm } from '@o3/scm/client'
import type { DatanodeId, Scm } from '@o3/scm/api'
import { readCluster, readClusterSecret } from '../cluster-file/read-cluster.ts'
import { addressOf } from '../roles/endpoint.ts'

export class ScmControl {
  readonly scm: Scm
  private readonly group: GroupClient
  private readonly datanodes: DatanodeDirectory

  private constructor(parts: { readonly group: GroupClient; readonly datanodes: DatanodeDirectory }) {
    this.group = parts.group
    this.datanodes = parts.datanodes
    this.scm = new RemoteScm(parts.group)
  }

  /** `InvalidArgument`, `Incompatible`, `Damaged` for what is wrong with the file or its secret. */
  static async open(env: Env, file: string): Promise<ScmControl> {
    const cluster = await readCluster(env, file)
    const secret = await readClusterSecret(env, cluster)
    const authentication = keyClient({ keyId: 'admin', secret }, env.random)
    const members = cluster.scm.map((member) => ({ id: member.id, address: addressOf(member) }))
    return new ScmControl({
      group: new GroupClient({ env, name: 'scm', authentication, members }),
      datanodes: new DatanodeDirectory({ env, authentication }),
    })
  }

  /** Where it registered last. `Unavailable` for one without an address. */
  async datanode(id: DatanodeId): Promise<Datanode> {
    const found = (await this.scm.listNodes()).find((node) => node.id === id)
    if (found === undefined) throw new StoreError('InvalidArgument', `there is no datanode ${id}`)
    const datanode = this.datanodes.find(id, found.address)
    if (datanode === undefined) throw new StoreError('Unavailable', `datanode ${id} has no address`)
    return datanode
  }

  close(): void {
    this.datanodes.close()
    this.group.close()
  }
}
