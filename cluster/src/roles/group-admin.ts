/**
 * What an administrator may ask of a member of a group, over the same connection as everybody else: where it stands
 * (`group.status.1`) and a checkpoint now (`group.checkpoint.1`), of each; who leads (`group.transfer.1`) and who belongs to
 * the group (`group.change.1`), of the leader. Payloads are JSON. What the leader is asked to change names the `term` of the
 * one that is meant, as every change does: a late copy of "remove om3" must not find a leader under which it has come back.
 */

import { StoreError, unreachable } from '@o3/common/errors'
import type { Fenced, RpcHandler, RpcMethods } from '@o3/common/rpc'
import type { ReplicatedStore, StoreStatus } from '@o3/ratis/api'
import type { Configuration, Consensus, NodeId } from '@o3/ratis/node'

export interface GroupMemberStatus {
  readonly id: NodeId
  readonly role: 'leader' | 'follower' | 'candidate'
  readonly term: number
  readonly leader?: NodeId
  /** False: it lost its log, or is new, and learns what it must know. */
  readonly mayVote: boolean
  readonly firstIndex: number
  readonly lastIndex: number
  readonly commitIndex: number
  readonly appliedIndex: number
  readonly checkpointIndex: number
  /** Its disk is full: it would refuse changes. Undefined: it is of a release that does not tell. */
  readonly outOfSpace?: boolean
  /** Rows of it did not verify. */
  readonly isDamaged?: boolean
  /** As this member knows it. */
  readonly voters: readonly NodeId[]
  readonly learners: readonly NodeId[]
  readonly addresses: Readonly<Record<NodeId, string>>
  /** A change of the voters is under way. */
  readonly isChanging: boolean
  /** Of a leader: the others, as it hears them. */
  readonly followers: readonly FollowerStatus[]
}

export interface FollowerStatus {
  readonly id: NodeId
  /** What is on its disk. */
  readonly matchIndex: number
  /** It was heard within an election timeout. */
  readonly isAlive: boolean
  readonly mayVote: boolean
}

/** To `to`, or to whichever voter is furthest. */
export interface GroupTransfer {
  readonly to?: NodeId
}

/** Each says what shall be the case; one that is the case already changes nothing. */
export type GroupChange =
  /** Hears everything and counts for nothing. */
  | { readonly kind: 'add-learner'; readonly id: NodeId; readonly address: string }
  /** `Busy` while the learner lags. */
  | { readonly kind: 'promote'; readonly id: NodeId }
  /** `InvalidArgument` for the last voter, `Unavailable` when fewer than a majority of the rest are alive. */
  | { readonly kind: 'remove'; readonly id: NodeId }

export const groupMethods = {
  status: 'group.status.1',
  checkpoint: 'group.checkpoint.1',
  transfer: 'group.transfer.1',
  change: 'group.change.1',
} as const

/** A learner this close to the leader may vote: as in the core, which has the last word. */
const promotionLagEntries = 1000

export function serveGroup<Command, Reply, Peer>(
  consensus: Consensus,
  store: Pick<ReplicatedStore<Command, Reply>, 'status' | 'checkpoint'>,
  isDamaged: () => boolean,
): RpcMethods<Peer> {
  const status = (): GroupMemberStatus => ({ ...statusOf(consensus, store.status()), isDamaged: isDamaged() })
  return {
    [groupMethods.status]: answering(() => status()),
    [groupMethods.checkpoint]: answering(async () => {
      await store.checkpoint()
      return status()
    }),
    [groupMethods.transfer]: answering(async (asked) => {
      await transfer(consensus, asked as GroupTransfer & Fenced)
      return {}
    }),
    [groupMethods.change]: answering(async (asked) => {
      await change(consensus, asked as GroupChange & Fenced)
      return status()
    }),
  }
}

function answering<Peer>(answer: (asked: unknown) => object | Promise<object>): RpcHandler<Peer> {
  return async ({ payload }) => {
    const text = Buffer.from(payload).toString('utf8')
    return { payload: Buffer.from(JSON.stringify(await answer(text === '' ? {} : (JSON.parse(text) as unknown)))) }
  }
}

function statusOf(
  consensus: Consensus,
  { checkpointIndex, outOfSpace }: Pick<StoreStatus, 'checkpointIndex' | 'outOfSpace'>,
): GroupMemberStatus {
  const { id, role, term, leader, mayVote, members, configuration, ...at } = consensus.status()
  const { voters, learners, addresses, outgoing } = configuration
  return {
    id,
    role: role === 'pre-candidate' ? 'candidate' : role,
    term,
    ...(leader === undefined ? {} : { leader }),
    mayVote,
    firstIndex: at.firstIndex,
    lastIndex: at.lastIndex,
    commitIndex: at.commitIndex,
    appliedIndex: at.appliedIndex,
    checkpointIndex,
    outOfSpace,
    voters,
    learners,
    addresses,
    isChanging: outgoing.length > 0,
    followers: members.map((member) => ({
      id: member.id,
      matchIndex: member.matchIndex,
      isAlive: member.isActive,
      mayVote: member.mayVote,
    })),
  }
}

async function transfer(consensus: Consensus, { to, term }: GroupTransfer & Fenced): Promise<void> {
  expectLeader(consensus, term)
  const { voters } = consensus.configuration
  if (to === consensus.id) return
  if (to !== undefined && !voters.includes(to)) {
    throw new StoreError('InvalidArgument', `${to} is no voter of the group: ${voters.join(', ')} are`)
  }
  if (voters.length === 1) throw new StoreError('InvalidArgument', `${consensus.id} is the only voter of its group`)
  await consensus.transferLeadership(to)
}

/** All that is begun is begun in this turn, and `changeMembership` does not go on in another term. */
async function change(consensus: Consensus, wanted: GroupChange & Fenced): Promise<void> {
  expectLeader(consensus, wanted.term)
  const { configuration } = consensus
  switch (wanted.kind) {
    case 'add-learner':
      return addLearner(consensus, wanted)
    case 'promote':
      return promote(consensus, wanted.id)
    case 'remove':
      if (!isMember(configuration, wanted.id)) return
      return remove(consensus, wanted.id)
    default:
      return unreachable(wanted)
  }
}

async function addLearner(consensus: Consensus, { id, address }: { id: NodeId; address: string }): Promise<void> {
  const { configuration } = consensus
  const { voters, learners, addresses } = configuration
  if (isMember(configuration, id)) {
    if (addresses[id] === address) return
    throw new StoreError('InvalidArgument', `${id} belongs to the group already, at ${addresses[id]}: remove it first`)
  }
  const other = Object.entries(addresses).find(([, taken]) => taken === address)
  if (other !== undefined) throw new StoreError('InvalidArgument', `${other[0]} of the group listens at ${address}`)
  await consensus.changeMembership({
    voters,
    learners: [...learners, id],
    addresses: { ...addresses, [id]: address },
  })
}

async function promote(consensus: Consensus, id: NodeId): Promise<void> {
  const { voters, learners, addresses } = consensus.configuration
  if (voters.includes(id)) return
  if (!learners.includes(id)) throw new StoreError('InvalidArgument', `${id} does not belong to the group`)
  const { members, lastIndex } = consensus.status()
  const learner = members.find((member) => member.id === id)
  const lag = lastIndex - (learner?.matchIndex ?? 0)
  if (learner?.isActive !== true || !learner.mayVote || lag > promotionLagEntries) {
    const why = learner?.isActive === true ? `it lacks ${lag} entries` : 'it is not heard'
    throw new StoreError('Busy', `${id} cannot vote yet: ${why}`)
  }
  await consensus.changeMembership({
    voters: [...voters, id],
    learners: learners.filter((each) => each !== id),
    addresses,
  })
}

async function remove(consensus: Consensus, id: NodeId): Promise<void> {
  const { voters, learners, addresses } = consensus.configuration
  const rest = voters.filter((each) => each !== id)
  if (rest.length === 0) throw new StoreError('InvalidArgument', `${id} is the only voter of its group`)
  const { members } = consensus.status()
  const alive = rest.filter(
    (each) => each === consensus.id || members.some((member) => member.id === each && isFit(member)),
  )
  if (alive.length <= rest.length / 2) {
    const missing = rest.filter((each) => !alive.includes(each)).join(', ')
    throw new StoreError(
      'Unavailable',
      `without ${id} the group could not decide anything: of its other voters (${rest.join(', ')}) ${missing} does not answer`,
    )
  }
  if (id === consensus.id) {
    // It would lead a group that it is not of until the change is committed; the heir removes it.
    await consensus.transferLeadership()
    throw notLeader(consensus)
  }
  await consensus.changeMembership({
    voters: rest,
    learners: learners.filter((each) => each !== id),
    addresses: Object.fromEntries(Object.entries(addresses).filter(([each]) => each !== id)),
  })
}

function isFit({ isActive, mayVote }: { readonly isActive: boolean; readonly mayVote: boolean }): boolean {
  return isActive && mayVote
}

function isMember({ voters, learners }: Configuration, id: NodeId): boolean {
  return voters.includes(id) || learners.includes(id)
}

function expectLeader(consensus: Consensus, term: number): void {
  if (!consensus.mayPropose || consensus.term !== term) throw notLeader(consensus)
}

function notLeader({ leader, term }: Consensus): StoreError {
  if (leader === undefined) return new StoreError('NotLeader', 'no leader is known')
  return new StoreError('NotLeader', `${leader} leads the group in term ${term}`, { details: { leader, term } })
}
