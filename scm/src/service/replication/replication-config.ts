import type { BalanceLimits } from '../../core/planners/balance.ts'
import type { AnewLimits, EncodingLimits } from '../../core/planners/encoding.ts'
import type { TaskLimits } from '../../core/planners/repair-tasks.ts'
import type { RepairLimits } from '../../core/planners/replication-plan.ts'

/** How much of a cluster repairs, moves and encodings may take. */
export interface ReplicationConfig extends RepairLimits, TaskLimits, EncodingLimits, AnewLimits {
  /** Tasks under way in the whole cluster. */
  readonly maxTasks: number
  /** Of all copies, reconstructions and moves together; see `ByteBudget`. */
  readonly bytesPerSecond: number
  readonly reserveBytes: number
  /** Containers judged in one round, at 10 µs each: a round is to hold up nobody. And tasks begun in one. */
  readonly maxJudged: number
  readonly maxBegun: number
  /** The wait after the first failure, doubled with each; and the longest. */
  readonly firstBackoffMs: number
  readonly mostBackoffMs: number
  /** A datanode at which a task of a container failed gets none of the same for so long. */
  readonly avoidMs: number
  /** A replica that does not come to agree with the others within this is not waited for. */
  readonly patienceMs: number
  /** A copy that its datanode calls done is to be reported within this. */
  readonly landingMs: number
  readonly balance: BalanceLimits & {
    readonly atStart: 'on' | 'off'
    readonly everyMs: number
    /** Begun within an interval. */
    readonly bytesPerInterval: number
    readonly intervalMs: number
  }
  /** Encodings under way at the same time; and beside them those of what is encoded already. */
  readonly maxEncodings: number
  readonly maxEncodingsAnew: number
  /** An encoding that would leave out less than this share of the bytes is not worth it; its datanode counts them. */
  readonly worthShare: number
  /** Ranges of blocks that one encoding leaves out; with more, the others wait for the next. */
  readonly maxLeftOutRanges: number
}

export const defaultReplicationConfig: ReplicationConfig = {
  maxIncoming: 4,
  maxOutgoing: 8,
  maxSources: 2,
  spreadMargin: 0.1,
  maxTasks: 200,
  bytesPerSecond: 512 * 1024 ** 2,
  reserveBytes: 4 * 1024 ** 3,
  maxJudged: 1_000,
  maxBegun: 64,
  firstBackoffMs: 5_000,
  mostBackoffMs: 300_000,
  avoidMs: 60_000,
  patienceMs: 60_000,
  landingMs: 30_000,
  silenceMs: 30_000,
  stallMs: 300_000,
  encodeAfterMs: 600_000,
  maxEncodings: 4,
  maxEncodingsAnew: 2,
  anewShare: 0.5,
  anewStep: 0.125,
  worthShare: 0.4,
  maxLeftOutRanges: 65_536,
  balance: {
    atStart: 'on',
    threshold: 0.1,
    maxMoves: 8,
    maxIncoming: 2,
    maxOutgoing: 2,
    maxExamined: 200,
    everyMs: 10_000,
    bytesPerInterval: 64 * 1024 ** 3,
    intervalMs: 600_000,
  },
}
