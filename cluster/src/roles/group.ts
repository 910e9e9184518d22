/** OM and SCM are groups: several members, one of which leads. */

import { join } from 'node:path'
import { StoreError, isStoreError } from '@o3/common/errors'
import { GroupClient } from '@o3/common/rpc'
import type { RpcHandler, RpcMethods } from '@o3/common/rpc'
import { RpcTransport, raftMethods } from '@o3/ratis/node'
import type { Consensus } from '@o3/ratis/node'
import type { GroupPlace } from '../stores.ts'
import { addressOf, describeEndpoint } from './endpoint.ts'
import { settleFounding } from './founding.ts'
import type { ClusterPeer } from '../pki/wire.ts'
import type { GroupMembership, Seat } from './role-process.ts'

type GroupName = 'om' | 'scm'

/** To whoever leads the group; closed with the process. */
export async function groupClient(seat: Seat, name: GroupName): Promise<GroupClient> {
  const { lifecycle, cluster, wire } = seat
  const members = cluster[name].map((member) => ({ id: member.id, address: addressOf(member) }))
  const client = new GroupClient({ env: wire.env, name, members, authentication: wire.callsTo(name) })
  await lifecycle.start(`client of ${name}`, { start: () => {}, stop: () => client.close() })
  return client
}

export interface JoinedGroup {
  /** For its store. */
  readonly place: GroupPlace
  /** What the others say to the member. */
  readonly methods: RpcMethods<ClusterPeer>
  /** What was found damaged of its rows since it began to serve. */
  readonly damage: () => StoreError | undefined
}

/** Takes this process's place in its group. The store is opened on it, and the process serves its methods. */
export async function joinGroup(seat: Seat, name: GroupName, segmentBytes: number): Promise<JoinedGroup> {
  const { env, log, cluster, member, directory, lifecycle, wire } = seat
  const members = cluster[name]
  const logDirectory = join(directory, name, 'log')
  const bootstrap = await settleFounding(env, {
    home: cluster.home,
    directory,
    logDirectory,
    segmentBytes,
    member,
    members,
  })
  const transport = new RpcTransport({
    env: wire.env,
    address: describeEndpoint(member),
    authentication: wire.callsTo(name),
  })
  await lifecycle.start('group transport', { start: () => {}, stop: () => transport.close() })
  const company = members.length > 1 ? 'others' : 'alone'
  let damage: StoreError | undefined
  const onDamage = (error: StoreError): void => {
    if (damage === undefined) log.error({ error }, 'rows are damaged')
    damage ??= error
  }
  return {
    place: { id: member.id, group: name, transport, bootstrap, company, onDamage },
    damage: () => damage,
    methods: raftMethods<ClusterPeer>(transport, (peer, id) => peer.role === name && peer.id === id),
  }
}

/** Longer than an election; a member that finds no others comes up all the same, and says so. */
const joinDeadlineMs = 5_000
const pollMs = 20

export function membershipOf(consensus: Consensus, { env, log }: Pick<Seat, 'env' | 'log'>): GroupMembership {
  return {
    isLeader: () => consensus.mayPropose,
    async join() {
      const untilMs = env.clock.monotonicMs() + joinDeadlineMs
      const isOfUse = (): boolean =>
        consensus.mayPropose || (consensus.leader !== undefined && consensus.leader !== consensus.id)
      while (!isOfUse()) {
        if (env.clock.monotonicMs() > untilMs) {
          log.warn({ member: consensus.id }, 'no leader is known; the member waits for the others of its group')
          return
        }
        await env.clock.sleep(pollMs)
      }
    },
    async handOver() {
      if (consensus.role !== 'leader') return
      try {
        await consensus.transferLeadership()
      } catch (error) {
        if (!isStoreError(error)) throw error
        // Nobody is there to lead, or somebody leads by now.
        log.info({ member: consensus.id, error }, 'leadership was not handed over')
      }
    },
  }
}

/**
 * A member that does not lead names who does; the service knows the id, and the group where that one listens: who asks may
 * not have it in its cluster file. Reads are answered by every member; one whose rows are damaged sends them to the leader,
 * too, or whoever asked it last would stay with it.
 */
export function namingLeaders<Peer>(
  methods: RpcMethods<Peer>,
  consensus: LeaderFacts,
  damage: () => StoreError | undefined,
): RpcMethods<Peer> {
  const named = Object.entries(methods).map(([name, handler]): [string, RpcHandler<Peer>] => [
    name,
    async (call) => {
      try {
        return await handler(call)
      } catch (error) {
        if (isStoreError(error, 'NotLeader')) throw withAddress(error, consensus)
        if (isStoreError(error, 'Damaged') && damage() !== undefined) throw elsewhere(error, consensus)
        throw error
      }
    },
  ])
  return Object.fromEntries(named)
}

export type LeaderFacts = Pick<Consensus, 'id' | 'leader' | 'term' | 'configuration'>

/** The leader may have it whole. That of one that leads stays as it is, until another one does. */
function elsewhere(error: StoreError, consensus: LeaderFacts): StoreError {
  const { id, leader, term } = consensus
  if (leader === undefined || leader === id) return error
  const details = { leader, term }
  return withAddress(
    new StoreError('NotLeader', `rows of ${id} are damaged; ${leader} leads`, { details, cause: error }),
    consensus,
  )
}

function withAddress(error: StoreError, { configuration }: LeaderFacts): StoreError {
  const { leader } = error.details
  const address = typeof leader === 'string' ? configuration.addresses[leader] : undefined
  if (address === undefined || error.details['address'] !== undefined) return error
  return new StoreError('NotLeader', error.message, { details: { ...error.details, address }, cause: error })
}
