/** What the process of every role does: finds itself in the cluster file, takes its directory, answers the others. */

import { join } from 'node:path'
import { Graph } from '@o3/common/di'
import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import { RpcServer } from '@o3/common/rpc'
import type { RpcLimits, RpcMethods } from '@o3/common/rpc'
import { membersOf } from '../cluster-file/cluster-file.ts'
import type { Member, Role } from '../cluster-file/cluster-file.ts'
import { readCluster } from '../cluster-file/read-cluster.ts'
import type { ClusterAtHome } from '../cluster-file/read-cluster.ts'
import { guarded } from '../pki/authorisation.ts'
import { identityFileName, settleIdentity } from '../pki/identity.ts'
import type { Holder, Identity } from '../pki/identity.ts'
import { joinByToken } from '../pki/joining.ts'
import { keepFresh } from '../pki/renewal.ts'
import { Wire } from '../pki/wire.ts'
import type { ClusterPeer } from '../pki/wire.ts'
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
  /** For a process that has no certificate, on a host that has not the authority's key. */
  readonly joinToken?: string | undefined
  readonly onSite?: ((site: string) => void) | undefined
}

export interface RoleFacts {
  readonly role: Role
  readonly id: string
  /** `host:port`. */
  readonly address: string
}

/** A process in its place: what a role is started with. */
export interface Seat extends ProcessParts {
  readonly cluster: ClusterAtHome
  readonly member: Member
  readonly directory: string
  readonly graph: Graph
  /** To the other processes. */
  readonly wire: Wire
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
    (parts, place) => takeSeat(parts, kind, { ...place, clusterFile: options.clusterFile }, start),
  )
}

interface Place extends ClaimedDirectory {
  readonly cluster: ClusterAtHome
  readonly member: Member
  readonly holder: Holder
  readonly identity: Identity
}

async function claim(env: Env, role: Role, options: RoleOptions): Promise<Place> {
  const cluster = withPeers(await readCluster(env, options.clusterFile), role, options.peers)
  const member = membersOf(cluster, role).find(({ id }) => id === options.id)
  if (member === undefined) {
    const known = membersOf(cluster, role).map(({ id }) => id)
    throw new StoreError(
      'InvalidArgument',
      `${options.peers === undefined ? options.clusterFile : '--peers'} has no ${role} ${options.id}; there is ${known.join(', ')}`,
    )
  }
  const owner = { clusterId: cluster.clusterId, role, id: member.id }
  const directory = await claimRoleDirectory(env, options.directory, owner)
  try {
    await tryPort(env, member)
    const holder = { authority: cluster, name: owner, file: join(directory.path, identityFileName) }
    const identity = await identityOf(env, holder, cluster, options.joinToken)
    return { ...directory, cluster, member, holder, identity }
  } catch (error) {
    await directory.release()
    throw error
  }
}

/** A token that was used is left on the command line by whoever restarts the process: then its identity is there. */
async function identityOf(
  env: Env,
  holder: Holder,
  cluster: ClusterAtHome,
  token: string | undefined,
): Promise<Identity> {
  try {
    return await settleIdentity(env, holder)
  } catch (error) {
    if (token === undefined || !isStoreError(error, 'InvalidArgument')) throw error
    return joinByToken(env, holder, cluster, token)
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
  { cluster, clusterFile, member, holder, identity, path }: Place & { readonly clusterFile: string },
  start: (seat: Seat) => Promise<Served>,
): Promise<RoleFacts> {
  const { env, log, lifecycle } = parts
  const rpcLog = log.child({ service: 'rpc' })
  const wire = new Wire({
    env,
    identity,
    revoked: cluster.revoked,
    log: rpcLog,
    // Whoever joins has no certificate yet; what a stranger may call is in the table.
    strangers: role === 'scm' ? 'admitted' : 'refused',
  })
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
    wire,
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
    ...wire.env,
    log: rpcLog,
    methods: guarded(role, { ...methods, [roleStatusMethod]: statusHandler(status) }),
    limits,
    authentication: wire.serves(),
  })
  await lifecycle.start('rpc server', {
    start: async () => void (await server.listen(addressOf(member))),
    stop: () => server.close(settings.stop.deadline / 2),
  })
  if (membership !== undefined) {
    await lifecycle.start('membership', { start: () => membership.join(), stop: () => membership.handOver() })
  }
  const renewal = env.tasks.spawn('certificate.renewal', (signal) =>
    keepFresh({ env, log, wire, holder, cluster, clusterFile }, signal),
  )
  await lifecycle.start('certificate renewal', {
    start: () => {},
    stop: async () => {
      renewal.cancel()
      await renewal.done
    },
  })
  const { serial, validity } = identity.facts
  log.info({ ...facts, pid: process.pid, version: release, serial, certificateExpiresMs: validity.toMs }, 'ready')
  return facts
}
