import { StoreError } from '@o3/common/errors'
import type { SegmentedLog } from '../log/segmented-log.ts'
import type { MachineStart } from '../node/consensus.ts'
import { rowsLost } from './load-rows.ts'

/**
 * Rejects rows and a log that are not two halves of one member: `Damaged`, or `Incompatible` for those of two groups. A log
 * that is known to have lost entries, and so may not vote, gets back from the others what the rows claim.
 */
export function expectPair(log: SegmentedLog, { groupId, appliedIndex, claimedIndex }: MachineStart): void {
  const { checkpointIndex } = log.hardState
  if (groupId !== undefined && groupId !== log.hardState.groupId) {
    throw new StoreError('Incompatible', `the rows belong to group ${groupId}, the log to ${log.hardState.groupId}`)
  }
  if (claimedIndex < checkpointIndex) throw rowsLost(checkpointIndex, claimedIndex)
  if (claimedIndex > log.durableIndex && log.hardState.mayVote) {
    throw new StoreError('Damaged', `the log ends at ${log.durableIndex}, before applied entry ${claimedIndex}`, {
      details: { appliedIndex: claimedIndex, lastIndex: log.durableIndex },
    })
  }
  const durableIndex = Math.max(appliedIndex, checkpointIndex)
  if (log.firstIndex > durableIndex + 1) {
    throw new StoreError('Damaged', `the log starts at ${log.firstIndex}, behind checkpoint ${durableIndex}`, {
      details: { checkpointIndex: durableIndex, firstIndex: log.firstIndex },
    })
  }
}
