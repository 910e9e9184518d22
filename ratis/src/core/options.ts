import { StoreError } from '@o3/common/errors'
import type { RaftOptions } from './raft.ts'

const mebibyte = 1024 * 1024

export const defaultRaftOptions: Omit<RaftOptions, 'id' | 'random'> = {
  electionTimeoutMs: 500,
  heartbeatMs: 50,
  maxClockDriftMs: 50,
  priority: 1,
  maxAppendBytes: mebibyte,
  maxInflightAppends: 256,
  maxInflightBytes: 16 * mebibyte,
  maxUncommittedBytes: 64 * mebibyte,
  maxTailBytes: 16 * mebibyte,
  promotionLagEntries: 1000,
}

/** Throws `InvalidArgument` for timeouts that could not work together. */
export function checkOptions(options: RaftOptions): void {
  const { electionTimeoutMs, heartbeatMs, maxClockDriftMs, id } = options
  if (!/^[\x21-\x7e]{1,64}$/.test(id)) throw new StoreError('InvalidArgument', `"${id}" is no member's name`)
  if (heartbeatMs * 3 > electionTimeoutMs) {
    throw new StoreError('InvalidArgument', 'an election timeout must be at least three heartbeats')
  }
  if (maxClockDriftMs >= electionTimeoutMs) {
    throw new StoreError('InvalidArgument', 'the drift of clocks must be less than an election timeout')
  }
}
