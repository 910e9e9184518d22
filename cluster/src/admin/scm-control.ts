/** SCM and the datanodes of a cluster as an administrator reaches them from outside, by the cluster file. */

import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { GroupClient } from '@o3/common/rpc'
import type { Datanode } from '@o3/hdds/api'
import { DatanodeDirectory } from '@o3/hdds/client'
import { RemoteScm } from '@o3/scm/client'
import type { DatanodeId, Scm } from '@o3/scm/api'
import { readCluster } from '../cluster-file/read-cluster.ts'
import { adminWire } from '../pki/administration.ts'
import { addressOf } from '../roles/endpoint.ts'

/** Longer than an election; a person waits. */
const deadlineMs = 10_000

export class ScmControl {
  readonly scm: Scm
  private readonly group: GroupClient
  private readonly datanodes: DatanodeDirectory

  private constructor(group: GroupClient, datanodes: DatanodeDirectory) {
    this.group = group
    this.datanodes = datanodes
    this.scm = new RemoteScm(group)
  }

  /** `InvalidArgument`, `Incompatible`, `Damaged` for what is wrong with the file or the administrator's identity. */
  static async open(env: Env, file: string): Promise<ScmControl> {
    const cluster = await readCluster(env, file)
    const wire = await adminWire(env, cluster)
    const members = cluster.scm.map((member) => ({ id: member.id, address: addressOf(member) }))
    return new ScmControl(
      new GroupClient({ env: wire.env, name: 'scm', authentication: wire.callsTo('scm'), members, deadlineMs }),
      new DatanodeDirectory({ env: wire.env, authentication: wire.callsTo('datanode') }),
    )
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
