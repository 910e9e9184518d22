/**
 * A group of one: what is durable in its log is committed. It leads from its start to its end, and each start is a term of
 * its own, so (term, index) names one entry for ever.
 */

import type { Env } from '@o3/common/env'
import { StoreError, type ErrorRecord } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import type { Configuration } from '../core/configuration.ts'
import type { NodeId } from '../core/entry.ts'
import type { RaftStatus } from '../core/raft.ts'
import { openLog, type LogEntry, type LogOptions, type SegmentedLog } from '../log/segmented-log.ts'
import type { Consensus, MachineStart, StateMachine } from '../node/consensus.ts'
import { expectPair } from './expect-pair.ts'

export interface SoleVoterOptions {
  readonly directory: string
  readonly log: LogOptions
}

/** What one batch of replay takes in: large, so that a million rows are a few hundred trips. */
const replayBytes = 4 * 1024 * 1024
const id: NodeId = 'sole'

/**
 * Opens the log, brings the state machine up to it, and leads. Rejects with `Damaged` when log and state machine contradict
 * each other, `Incompatible` when the log is another group's, and as `openLog` does.
 */
export async function openSoleVoter(
  env: Env,
  options: SoleVoterOptions,
  under: { readonly machine: StateMachine; readonly start: MachineStart },
): Promise<Consensus> {
  const { machine, start } = under
  const log = await openLog(env, options.directory, options.log)
  try {
    expectPair(log, start)
    // A group of one has nobody to send it a snapshot.
    if (start.resetLog) throw new StoreError('Incompatible', 'the rows are a snapshot of a group of several members')
    const appliedIndex = await replay(log, under)
    const term = log.hardState.term + 1
    await log.saveHardState({ term })
    const voter = new SoleVoter({ log, machine, term, appliedIndex })
    machine.lead(term)
    return voter
  } catch (error) {
    await log.close()
    throw error
  }
}

/** All that is durable is committed. Resolves with the last index. */
async function replay(
  log: SegmentedLog,
  { machine, start }: { readonly machine: StateMachine; readonly start: MachineStart },
): Promise<LogIndex> {
  const reader = log.read(Math.max(start.appliedIndex, log.hardState.checkpointIndex) + 1)
  try {
    for (;;) {
      const entries = await reader.next(log.durableIndex, replayBytes)
      if (entries.length === 0) return log.durableIndex
      await machine.apply(entries)
    }
  } finally {
    await reader.close()
  }
}

class SoleVoter implements Consensus {
  readonly id = id
  readonly role = 'leader'
  readonly leader = id
  readonly mayPropose = true
  readonly configuration: Configuration = {
    voters: [id],
    outgoing: [],
    learners: [],
    learnersNext: [],
    addresses: {},
  }
  readonly term: Term
  readonly log: SegmentedLog
  appliedIndex: LogIndex
  private readonly machine: StateMachine

  constructor(parts: {
    readonly log: SegmentedLog
    readonly machine: StateMachine
    readonly term: Term
    readonly appliedIndex: LogIndex
  }) {
    this.log = parts.log
    this.machine = parts.machine
    this.term = parts.term
    this.appliedIndex = parts.appliedIndex
  }

  get commitIndex(): LogIndex {
    return this.appliedIndex
  }

  get failed(): ErrorRecord | undefined {
    return this.log.failed
  }

  propose(payload: Uint8Array): LogIndex {
    const index = this.log.lastIndex + 1
    const entries: readonly LogEntry[] = [{ index, term: this.term, payload }]
    this.log.append(entries, (error) => this.logged(entries, error))
    return index
  }

  readBarrier(): undefined {
    return undefined
  }

  async checkpointed(index: LogIndex, keepBytes: number): Promise<void> {
    const { log } = this
    if (index > log.hardState.checkpointIndex) {
      await log.saveHardState({ checkpointIndex: index, commitFloor: Math.max(index, log.hardState.commitFloor) })
    }
    await log.truncateBefore(log.hardState.checkpointIndex + 1, keepBytes)
  }

  status(): RaftStatus {
    const { log, term, appliedIndex, configuration } = this
    return {
      id,
      role: 'leader',
      term,
      vote: id,
      mayVote: true,
      leader: id,
      firstIndex: log.firstIndex,
      lastIndex: log.lastIndex,
      durableIndex: log.durableIndex,
      commitIndex: appliedIndex,
      appliedIndex,
      configuration,
      members: [],
      uncommittedBytes: log.queuedBytes,
      tailBytes: 0,
    }
  }

  transferLeadership(): Promise<void> {
    return Promise.reject(new StoreError('InvalidArgument', 'a group of one has nobody to hand over to'))
  }

  changeMembership(): Promise<void> {
    return Promise.reject(new StoreError('NotImplemented', 'a group of one stays one'))
  }

  close(): Promise<void> {
    return this.log.close()
  }

  /**
   * Its answer to the state machine never waits: what may be proposed is bounded by the log's queue, and the state machine
   * stops planning long before it is full.
   */
  private logged(entries: readonly LogEntry[], error: StoreError | undefined): void {
    const [{ index }] = entries as readonly [LogEntry]
    if (error === undefined) {
      this.appliedIndex = index
      // It rejects when the rows can never be written: then the store has failed, and proposes nothing more.
      void this.machine.apply(entries)?.catch(() => undefined)
      this.log.noteCommitted(index)
    } else if (error.code === 'OutcomeUnknown') this.machine.fail(error)
    else this.machine.refuse(index, error)
  }
}
