/** What each process of a cluster says of itself, and what the command that runs them says of those that do not. */

import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import { RpcClient } from '@o3/common/rpc'
import { membersOf, roles } from '../cluster-file/cluster-file.ts'
import type { Member, Role } from '../cluster-file/cluster-file.ts'
import { clusterFileIn, readCluster } from '../cluster-file/read-cluster.ts'
import { adminWire } from '../pki/administration.ts'
import type { Wire } from '../pki/wire.ts'
import { addressOf, describeEndpoint } from '../roles/endpoint.ts'
import { askStatus } from '../roles/role-status.ts'
import type { RoleStatus } from '../roles/role-status.ts'
import type { ChildState } from './child.ts'
import { openControl } from './control.ts'
import type { ChildReport } from './control.ts'

export interface ProcessStatus {
  readonly role: Role
  readonly id: string
  readonly state: ChildState
  readonly address: string
  readonly pid?: number
  /** Of OM and SCM. */
  readonly leader?: boolean
  readonly version?: string
  readonly problem?: string
}

export interface ClusterStatus {
  /** The process id of the command that runs the cluster is of no use; whether there is one is. */
  readonly supervised: boolean
  /** As they come up: SCM, OM, datanodes, gateways. */
  readonly processes: readonly ProcessStatus[]
}

const deadlineMs = 2_000

/** Works whether or not the cluster runs, and however its processes were started. `InvalidArgument` where there is none. */
export async function clusterStatus(env: Env, directory: string): Promise<ClusterStatus> {
  const cluster = await readCluster(env, clusterFileIn(directory))
  const wire = await adminWire(env, cluster)
  const children = await askSupervisor(env, directory, wire)
  const asked = roles.flatMap((role) =>
    membersOf(cluster, role).map((member) => askMember({ wire, role, member, children })),
  )
  return { supervised: children !== undefined, processes: await Promise.all(asked) }
}

interface Asked {
  readonly wire: Wire
  readonly role: Role
  readonly member: Member
  readonly children: readonly ChildReport[] | undefined
}

async function askMember({ wire, role, member, children }: Asked): Promise<ProcessStatus> {
  const { id } = member
  const known = { role, id, address: describeEndpoint(member) }
  const client = new RpcClient({
    ...wire.env,
    address: addressOf(member),
    authentication: wire.callsTo(role),
    serverId: id,
  })
  try {
    const status = await askStatus(client, deadlineMs)
    return { ...known, ...described(status), state: 'up' }
  } catch (error) {
    const { state, pid } = children?.find((child) => child.id === id) ?? { state: 'down' as const, pid: undefined }
    // One that is up and does not answer is not up.
    const isAbsent = isStoreError(error, 'Unavailable') && error.details['answers'] === undefined
    const problem = (state === 'up' || !isAbsent) && error instanceof Error ? { problem: problemOf(error) } : {}
    return { ...known, state: state === 'up' ? 'down' : state, ...(pid === undefined ? {} : { pid }), ...problem }
  } finally {
    client.close()
  }
}

function problemOf(error: Error): string {
  if (!isStoreError(error, 'DeadlineExceeded')) return error.message
  return `it is there, and has not answered within ${deadlineMs / 1000} s`
}

function described({ pid, leader, version, problem }: RoleStatus): Partial<ProcessStatus> {
  return {
    pid,
    version,
    ...(leader === undefined ? {} : { leader }),
    ...(problem === undefined ? {} : { problem }),
  }
}

/** Undefined when nobody runs the cluster. */
async function askSupervisor(env: Env, directory: string, wire: Wire): Promise<readonly ChildReport[] | undefined> {
  const control = await openControl({ env, directory, wire })
  try {
    return await control?.children()
  } catch (error) {
    // What a killed one has left leads to nobody, or to another program.
    if (isStoreError(error, 'Unavailable', 'OutcomeUnknown', 'Unauthenticated', 'Incompatible', 'DeadlineExceeded')) {
      return undefined
    }
    throw error
  } finally {
    control?.close()
  }
}
