/** What the process of every role does: finds itself in the cluster file, takes its directory, answers the others. */

import { Graph } from '@o3/common/di'
import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { RpcServer, keyClient, keyServer } from '@o3/common/rpc'
import type { ClientAuthentication, RpcLimits, RpcMethods } from '@o3/common/rpc'
import type { Secret } from '@o3/common/log'
import { membersOf } from '../cluster-file/cluster-file.ts'
import type { Member, Role } from '../cluster-file/cluster-file.ts'
import { readCluster, readClusterSecret } from '../cluster-file/read-cluster.ts'
import type { ClusterAtHome } from '../cluster-file/read-cluster.ts'
import { tryPort } from '../process/ports.ts'
import { startProcess } from '../process/running-process.ts'
import type { ClaimedDirectory, ProcessParts, RunningProcess } from '../process/running-process.ts'
import type { LogSettings, StopSettings } from '../settings.ts'
import { addressOf, describeEndpoint } from './endpoint.ts'
import { release } from './release.ts'
import { claimRoleDirectory } from './role-directory.ts'
import { roleStatusMethod, statusHandler } from './role-status.ts'
import type { RoleStatus } from './role-status.ts'

/** How somebody who starts a process of a cluster says which. */
export interface RoleOptions {
  /** Path of the cluster file. */
  readonly clusterFile: string
  readonly id: string
  /** The directory of this process. */
  readonly directory: string
  /** In the place of the members that the file has for this role's group. */
  readonly peers?: readonly Member[] | undefined
  readonly onSite?: ((site: string) => void) | undefined
}

export interface RoleFacts {
  readonly role: Role
  readonly id: string
  /** `host:port`. */
  readonly address: string
}

/** Who connected: the role and id it gave. That it is of the cluster is proved, which of its processes is not. */
export interface ClusterPeer {
  readonly name: string
}

/** A process in its place: what a role is started with. */
export interface Seat extends ProcessParts {
  readonly cluster: ClusterAtHome
  readonly member: Member
  readonly directory: string
  readonly graph: Graph
  /** For connections to the other processes. */
  readonly authentication: ClientAuthentication
}

/** What a role answers once it is up. */
export interface Served {
  readonly methods: RpcMethods<ClusterPeer>
  readonly limits?: Partial<RpcLimits>
  readonly problem?: () => string | undefined
  /** Of a role that is a group. */
  readonly membership?: GroupMembership
}

/** What a member of a group does beside its service. */
export interface GroupMembership {
  readonly isLeader: () => boolean
  /** Resolves when it is of use to the group, or when that takes too long. The process listens already. */
  join(): Promise<void>
  /** Lets another one lead, while the process still listens; before a stop. */
  handOver(): Promise<void>
}

interface RoleKind {
  readonly role: Role
  readonly settings: { readonly log: LogSettings; readonly stop: StopSettings }
}

/**
 * Starts the process of `options.id`. It listens last: who reaches it finds it ready, though a group may still elect. `InvalidArgument` for what is wrong
 * with the cluster file, `Incompatible` for a directory of somebody else, `Busy` when it or the port is taken, and what
 * `start` throws.
 */
export async function startRole(
  kind: RoleKind,
  options: RoleOptions,
  start: (seat: Seat) => Promise<Served>,
): Promise<RunningProcess<RoleFacts>> {
  const { log, stop } = kind.settings
  return startProcess(
    { log, stop, onSite: options.onSite, claim: (env) => claim(env, kind.role, options) },
    (parts, place) => takeSeat(parts, kind, place, start),
  )
}

interface Place extends ClaimedDirectory {
  readonly cluster: ClusterAtHome
  readonly member: Member
  readonly secret: Secret
}

async function claim(env: Env, role: Role, options: RoleOptions): Promise<Place> {
  const cluster = withPeers(await readCluster(env, options.clusterFile), role, options.peers)
  const member = membersOf(cluster, role).find(({ id }) => id === options.id)
  if (member === undefined) {
    const known = membersOf(cluster, role).map(({ id }) => id)
    throw new StoreError(
      'InvalidArgument',
      `${options.clusterFile} has no ${role} ${options.id}; there is ${known.join(', ')}`,
    )
  }
  const secret = await readClusterSecret(env, cluster)
  const owner = { clusterId: cluster.clusterId, role, id: member.id }
  const directory = await claimRoleDirectory(env, options.directory, owner)
  try {
    await tryPort(env, member)
    return { ...directory, cluster, member, secret }
  } catch (error) {
    await directory.release()
    throw error
  }
}

function withPeers(cluster: ClusterAtHome, role: Role, peers: readonly Member[] | undefined): ClusterAtHome {
  if (peers === undefined) return cluster
  if (role === 'om' || role === 'scm') return { ...cluster, [role]: peers }
  throw new StoreError('InvalidArgument', `a ${role} is in no group and has no --peers`)
}

async function takeSeat(
  parts: ProcessParts,
  { role, settings }: RoleKind,
  { cluster, member, secret, path }: Place,
  start: (seat: Seat) => Promise<Served>,
): Promise<RoleFacts> {
  const { env, log, lifecycle } = parts
  const authentication = keyClient({ keyId: `${role} ${member.id}`, secret }, env.random)
  const {
    methods,
    limits = {},
    membership,
    problem,
  } = await start({
    ...parts,
    cluster,
    member,
    directory: path,
    graph: new Graph(),
    authentication,
  })
  const facts: RoleFacts = { role, id: member.id, address: describeEndpoint(member) }
  const status = (): RoleStatus => {
    const wrong = problem?.()
    return {
      ...facts,
      pid: process.pid,
      version: release,
      ...(membership === undefined ? {} : { leader: membership.isLeader() }),
      ...(wrong === undefined ? {} : { problem: wrong }),
    }
  }
  const server = new RpcServer<ClusterPeer>({
    ...env,
    log: log.child({ service: 'rpc' }),
    methods: { ...methods, [roleStatusMethod]: statusHandler(status) },
    limits,
    authentication: keyServer((keyId) => ({ secret, peer: { name: keyId } }), env.random),
  })
  await lifecycle.start('rpc server', {
    start: async () => void (await server.listen(addressOf(member))),
    stop: () => server.close(settings.stop.deadline / 2),
  })
  if (membership !== undefined) {
    await lifecycle.start('membership', { start: () => membership.join(), stop: () => membership.handOver() })
  }
  log.info({ ...facts, pid: process.pid, version: release }, 'ready')
  return facts
}
