/**
 * What a member of a group sees of its own condition. One whose disk is full, or rows do not verify, serves the others as
 * well as ever, and must not lead: it would refuse, in the name of all, what they have room for.
 */

import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import { RpcClient } from '@o3/common/rpc'
import type { StoreStatus } from '@o3/ratis/api'
import { parsePeerAddress } from '@o3/ratis/node'
import type { Consensus, NodeId, RaftStatus } from '@o3/ratis/node'
import { logProblem } from '../parts/problems.ts'
import type { ProcessParts } from '../process/running-process.ts'
import { eachSecond, patienceMs } from './each-second.ts'
import { groupMethods } from './group-admin.ts'
import type { GroupMemberStatus } from './group-admin.ts'
import type { Seat } from './role-process.ts'

/** Of another member, by its id. Rejects when it does not answer. */
export type AskMember = (id: NodeId) => Promise<Pick<GroupMemberStatus, 'outOfSpace' | 'isDamaged'>>

type WatchedConsensus = Pick<Consensus, 'id' | 'leader' | 'mayPropose' | 'configuration' | 'transferLeadership'> & {
  status(): Pick<RaftStatus, 'mayVote'> & { readonly members: readonly WatchedMember[] }
}

type WatchedMember = Pick<RaftStatus['members'][number], 'id' | 'isActive' | 'mayVote' | 'matchIndex'>

export interface MemberWatchParts extends Pick<ProcessParts, 'lifecycle'> {
  readonly env: Pick<Env, 'clock' | 'tasks'>
  readonly log: Logger
  readonly name: 'om' | 'scm'
  readonly consensus: WatchedConsensus
  readonly store: { status(): Pick<StoreStatus, 'failed' | 'outOfSpace'> }
  /** What was found damaged of its rows. */
  readonly damage: () => StoreError | undefined
  readonly ask: AskMember
}

const askDeadlineMs = 1_000

/** Looks after the member until the process stops. The function says what is wrong with it, in one sentence. */
export async function watchMember(parts: MemberWatchParts): Promise<() => string | undefined> {
  const { env, lifecycle } = parts
  const { clock, tasks } = env
  let ledMs = clock.monotonicMs()
  const look = (): Promise<void> => {
    if (knowsLeader(parts)) ledMs = clock.monotonicMs()
    return leaveLeadWhenUnfit(parts)
  }
  const running = tasks.spawn(`watch of ${parts.name}`, (signal) => eachSecond(clock, signal, look))
  await lifecycle.start('watch of the member', {
    start: () => {},
    stop: async () => {
      running.cancel()
      await running.done
    },
  })
  return () => problemOf(parts, clock.monotonicMs() - ledMs)
}

/** By the addresses that the group has. */
export function askMembers({ wire }: Pick<Seat, 'wire'>, name: 'om' | 'scm', consensus: Consensus): AskMember {
  return async (id) => {
    const address = parsePeerAddress(consensus.configuration.addresses[id] ?? '')
    const client = new RpcClient({ ...wire.env, address, authentication: wire.callsTo(name), serverId: id })
    try {
      const { payload } = await client.call(groupMethods.status, new Uint8Array(0), { deadlineMs: askDeadlineMs })
      return JSON.parse(Buffer.from(payload).toString('utf8')) as GroupMemberStatus
    } finally {
      client.close()
    }
  }
}

function knowsLeader({ consensus }: MemberWatchParts): boolean {
  const { id, leader, mayPropose } = consensus
  return mayPropose || (leader !== undefined && leader !== id)
}

function problemOf({ name, consensus, store, damage }: MemberWatchParts, leaderlessMs: number): string | undefined {
  const failed = logProblem(name, store)
  if (failed !== undefined) return failed
  const damaged = damage()
  if (damaged !== undefined) return `its rows are damaged (${damaged.message}); stop it, and give it an empty directory`
  if (store.status().outOfSpace) return 'its disk is full; it leads only while no other member has room'
  const seconds = Math.round(leaderlessMs / 1000)
  const isLeaderless = leaderlessMs > patienceMs
  if (!consensus.status().mayVote) {
    const learning = 'it has lost its log, or is new, and may not vote before the others have taught it'
    return isLeaderless ? `${learning}; no leader has been heard for ${seconds} s` : learning
  }
  if (!isLeaderless) return undefined
  return `no leader for ${seconds} s: a majority of ${consensus.configuration.voters.join(', ')} must be up and may vote`
}

async function leaveLeadWhenUnfit(parts: MemberWatchParts): Promise<void> {
  const { consensus, store, damage, log } = parts
  if (!consensus.mayPropose || (!store.status().outOfSpace && damage() === undefined)) return
  const heir = await fitHeir(parts)
  if (heir === undefined) return
  log.warn({ member: consensus.id, heir }, 'the disk is full or rows are damaged; another member takes the lead')
  try {
    await consensus.transferLeadership(heir)
  } catch (error) {
    if (!isStoreError(error)) throw error
    log.info({ member: consensus.id, error }, 'leadership was not handed over')
  }
}

/** Not one of an older release, which does not tell: two that are full would pass the lead to and fro. */
async function fitHeir({ consensus, ask, log }: MemberWatchParts): Promise<NodeId | undefined> {
  const { voters } = consensus.configuration
  const fit = consensus
    .status()
    .members.filter(({ id, isActive, mayVote }) => isActive && mayVote && voters.includes(id))
  for (const { id } of fit.toSorted((a, b) => b.matchIndex - a.matchIndex)) {
    try {
      const { outOfSpace, isDamaged } = await ask(id)
      if (outOfSpace === false && isDamaged === false) return id
    } catch (error) {
      if (!isStoreError(error)) throw error
      log.info({ member: id, error }, 'a member does not say whether it is fit to lead')
    }
  }
  return undefined
}
