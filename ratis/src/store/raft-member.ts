/** The store as the state machine of a Raft group: how the member finds where the rows and its log stand. */

import type { SegmentedLog } from '../log/segmented-log.ts'
import type { MachineStart, StateMachine } from '../node/consensus.ts'
import { openRaftNode, type RaftNodeOptions, type RecoveredMachine } from '../node/open-raft-node.ts'
import type { RaftNode } from '../node/raft-node.ts'
import { expectPair } from './expect-pair.ts'

/** What `StoreOptions.consensus` wants: opens this member of a group of any size. Rejects as `openRaftNode`. */
export function raftMember(
  options: Omit<RaftNodeOptions, 'recover'>,
): (machine: StateMachine, start: MachineStart) => Promise<RaftNode> {
  return (machine, start) => openRaftNode({ ...options, recover: (log) => joinRows(log, machine, start) })
}

async function joinRows(log: SegmentedLog, machine: StateMachine, start: MachineStart): Promise<RecoveredMachine> {
  if (start.resetLog) await finishReset(log, start)
  expectPair(log, start)
  const appliedIndex = Math.max(start.appliedIndex, log.hardState.checkpointIndex)
  const appliedTerm = log.termAt(appliedIndex) ?? start.appliedTerm
  // Without the claim a leader could wait for ever: for a follower to commit it, who waits for a snapshot that holds it.
  return { machine, appliedIndex, appliedTerm, committedIndex: start.claimedIndex, configuration: start.configuration }
}

/** A crash came between a snapshot that was put in place and the end of its install. */
async function finishReset(log: SegmentedLog, { appliedIndex, appliedTerm }: MachineStart): Promise<void> {
  const isReset = log.firstIndex === appliedIndex + 1 && log.termAt(appliedIndex) === appliedTerm
  if (!isReset) await log.resetTo({ index: appliedIndex, term: appliedTerm })
  if (log.hardState.checkpointIndex < appliedIndex) await log.saveHardState({ checkpointIndex: appliedIndex })
}
