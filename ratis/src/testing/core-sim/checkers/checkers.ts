import type { LogIndex, Term } from '../../../api/api.ts'
import type { NodeId } from '../../../core/entry.ts'
import type { MemberDisk } from '../member-disk.ts'
import type { SimPlan } from '../plan.ts'
import { bounded } from './bounded.ts'
import type { Checker, MemberView } from './checker.ts'
import { appliedPrefix, CommittedLog, commitGrows, durableCommit, leaderCompleteness } from './committed-log.ts'
import { equalState, requestOnce } from './equal-state.ts'
import { linearReads } from './linear-reads.ts'
import { logMatching } from './log-matching.ts'
import { oneLeader } from './one-leader.ts'
import { syncBeforeSend } from './sync-before-send.ts'

export interface CheckerParts {
  readonly plan: SimPlan
  readonly birthIndex: LogIndex
  readonly disks: ReadonlyMap<NodeId, MemberDisk>
  /** The member that is up and leads this term. */
  readonly leaderOf: (term: Term) => MemberView | undefined
}

/** All of them, in the order in which they look. */
export class Checkers implements Required<Omit<Checker, 'name'>> {
  readonly committed: CommittedLog
  readonly #all: readonly Checker[]

  constructor({ plan, birthIndex, disks, leaderOf }: CheckerParts) {
    this.committed = new CommittedLog(birthIndex)
    this.#all = [
      oneLeader(),
      logMatching(),
      commitGrows(),
      durableCommit(this.committed, disks),
      leaderCompleteness(this.committed),
      appliedPrefix(this.committed),
      equalState(),
      requestOnce(),
      linearReads(),
      syncBeforeSend(leaderOf),
      bounded(plan),
    ]
  }

  roleChanged: NonNullable<Checker['roleChanged']> = (member, change) => {
    for (const checker of this.#all) checker.roleChanged?.(member, change)
  }

  sending: NonNullable<Checker['sending']> = (member, message) => {
    for (const checker of this.#all) checker.sending?.(member, message)
  }

  delivered: NonNullable<Checker['delivered']> = (member, message) => {
    for (const checker of this.#all) checker.delivered?.(member, message)
  }

  durable: NonNullable<Checker['durable']> = (member, persist) => {
    for (const checker of this.#all) checker.durable?.(member, persist)
  }

  applied: NonNullable<Checker['applied']> = (member, entry, effect) => {
    for (const checker of this.#all) checker.applied?.(member, entry, effect)
  }

  installed: NonNullable<Checker['installed']> = (member) => {
    for (const checker of this.#all) checker.installed?.(member)
  }

  stepped: NonNullable<Checker['stepped']> = (member) => {
    for (const checker of this.#all) checker.stepped?.(member)
  }

  readBegan: NonNullable<Checker['readBegan']> = (id) => {
    for (const checker of this.#all) checker.readBegan?.(id)
  }

  readServed: NonNullable<Checker['readServed']> = (read) => {
    for (const checker of this.#all) checker.readServed?.(read)
  }

  acknowledged: NonNullable<Checker['acknowledged']> = (acknowledged) => {
    for (const checker of this.#all) checker.acknowledged?.(acknowledged)
  }
}
