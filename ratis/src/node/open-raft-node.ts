import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { LogIndex, Term } from '../api/api.ts'
import { decodeConfiguration, noConfiguration, type Configuration } from '../core/configuration.ts'
import { entryKind, type NodeId } from '../core/entry.ts'
import { defaultRaftOptions } from '../core/options.ts'
import { RaftCore } from '../core/raft-core.ts'
import type { RaftOptions, RaftStart } from '../core/raft.ts'
import { openLog, type LogOptions, type SegmentedLog } from '../log/segmented-log.ts'
import type { StateMachine } from './consensus.ts'
import { defaultNodeLimits, RaftNode, type RaftNodeLimits } from './raft-node.ts'
import type { RaftTransport } from './transport.ts'

/** Where a state machine stands after its own recovery. */
export interface RecoveredMachine {
  readonly machine: StateMachine
  /** Its state holds every entry up to here; later ones come again. 0 when it is new. */
  readonly appliedIndex: LogIndex
  /** Of the entry there. */
  readonly appliedTerm: Term
  /**
   * Entries up to here were committed: it has seen something of them, though perhaps not durably all. Default: those up to
   * `appliedIndex`.
   */
  readonly committedIndex?: LogIndex
  /** The configuration in force there, and the index of the entry that brought it; undefined when none has. */
  readonly configuration: { readonly index: LogIndex; readonly configuration: Configuration } | undefined
}

export interface RaftNodeOptions {
  readonly env: Env
  readonly id: NodeId
  /** Names the group on the transport. */
  readonly group: string
  /** Of the log. The caller holds its lock. */
  readonly directory: string
  readonly log?: LogOptions
  readonly transport: RaftTransport
  /**
   * Recovers the state machine, given the log: its `hardState.checkpointIndex` says which entries the state is sure to hold.
   * It finishes an install that a crash interrupted, resetting the log (`resetTo`) with it.
   */
  readonly recover: (log: SegmentedLog) => Promise<RecoveredMachine>
  /**
   * The group as it begins, the same for all its first members. Counts while no entry says who the group is. Without it the
   * member waits until the leader of a group that took it in finds it.
   */
  readonly bootstrap?: Configuration
  /** Over `defaultRaftOptions`. */
  readonly raft?: Partial<Omit<RaftOptions, 'id' | 'random'>>
  /** Over `defaultNodeLimits`. */
  readonly limits?: Partial<RaftNodeLimits>
  readonly logger?: Logger
}

const scanBytes = 4 * 1024 * 1024

/** Opens a member of a group; it takes part when this resolves. Rejects as `openLog`, and with what `recover` rejects with. */
export async function openRaftNode(options: RaftNodeOptions): Promise<RaftNode> {
  const { env, id, group, transport, bootstrap = noConfiguration, logger } = options
  const log = await openLog(env, options.directory, options.log)
  try {
    const recovered = await options.recover(log)
    await joinLog(log, recovered)
    const configuration = recovered.configuration ?? { index: 0, configuration: bootstrap }
    const raft: RaftOptions = { ...defaultRaftOptions, ...options.raft, id, random: () => env.random.fraction() }
    const start = await startOf(log, recovered, { configuration, nowMs: env.clock.monotonicMs() })
    expectWhole(start, id)
    const core = new RaftCore(raft, start)
    const node = new RaftNode({
      env,
      group,
      core,
      options: raft,
      log,
      transport,
      machine: recovered.machine,
      appliedIndex: recovered.appliedIndex,
      configuration: configuration.configuration,
      limits: { ...defaultNodeLimits, ...options.limits },
      ...(logger && { logger }),
    })
    node.start()
    return node
  } catch (error) {
    await log.close()
    throw error
  }
}

/** A log that lost what the state has begins anew behind the state; one that lost more than that has a gap. */
async function joinLog(log: SegmentedLog, recovered: RecoveredMachine): Promise<void> {
  const { appliedIndex, appliedTerm } = recovered
  if (log.firstIndex > appliedIndex + 1) {
    throw new StoreError('Damaged', `the state ends at entry ${appliedIndex}, the log begins at ${log.firstIndex}`, {
      details: { appliedIndex, firstIndex: log.firstIndex },
    })
  }
  if (log.lastIndex < appliedIndex) await log.resetTo({ index: appliedIndex, term: appliedTerm })
}

/** What the only voter lost, nobody can give back: to go on without it would be to forget what was acknowledged. */
function expectWhole({ hardState, configuration, configurations }: RaftStart, id: NodeId): void {
  const { voters, outgoing } = configurations.at(-1)?.configuration ?? configuration
  if (hardState.mayVote || voters.length !== 1 || voters[0] !== id || outgoing.length > 0) return
  const message = 'the log of the only voter of its group lost entries, and nobody else has them'
  throw new StoreError('Damaged', message, { details: { onlyVoter: id } })
}

async function startOf(
  log: SegmentedLog,
  recovered: RecoveredMachine,
  known: { readonly configuration: NonNullable<RecoveredMachine['configuration']>; readonly nowMs: number },
): Promise<RaftStart> {
  const { term, vote, mayVote, commitFloor } = log.hardState
  const { appliedIndex, committedIndex = 0 } = recovered
  return {
    hardState: { term, vote, mayVote },
    configuration: known.configuration.configuration,
    configurationIndex: known.configuration.index,
    configurations: await configurationsBehind(log, appliedIndex),
    firstIndex: log.firstIndex,
    lastIndex: log.lastIndex,
    termRuns: log.termRuns,
    commitIndex: Math.min(Math.max(commitFloor, appliedIndex, committedIndex), log.lastIndex),
    appliedIndex,
    nowMs: known.nowMs,
  }
}

/** They count from when they are appended, so all that are in the log are needed before the first vote. */
async function configurationsBehind(log: SegmentedLog, index: LogIndex): Promise<RaftStart['configurations']> {
  if (log.lastIndex <= index) return []
  const found: { readonly index: LogIndex; readonly configuration: Configuration }[] = []
  const reader = log.read(index + 1)
  try {
    for (let end = index; end < log.lastIndex;) {
      const entries = await reader.next(log.lastIndex, scanBytes)
      end = entries.at(-1)?.index ?? Infinity
      const changes = entries.filter(({ payload }) => entryKind(payload) === 'configuration')
      found.push(...changes.map((entry) => ({ index: entry.index, configuration: decodeConfiguration(entry.payload) })))
    }
    return found
  } finally {
    await reader.close()
  }
}
