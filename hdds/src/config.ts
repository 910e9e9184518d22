import type { AppenderLimits } from './storage/appender.ts'

/** How a datanode takes part in pipelines. Per pipeline. */
export interface PipelineConfig {
  /** Of the log; twice as much is allocated at least. A block that rides in the log fits into it. */
  readonly segmentBytes: number
  /** Kept of the log for members that lag; who lags by more leaves the pipeline. */
  readonly keptLogBytes: number
  /** Blocks that wait for their majority; then writes are `Busy`. */
  readonly maxInFlightBytes: number
  /** Committed blocks on their way into containers; then none are taken from the log until half is done. */
  readonly maxPendingBytes: number
  /** The log is cut after so much was applied. */
  readonly checkpointBytes: number
  /** So much of the log may wait for one block that nobody can give. */
  readonly maxHeldBytes: number
  /** Blocks that are fetched from other members at a time. */
  readonly maxFetches: number
  /** A full disk, and holders that do not answer, are tried again after so long. */
  readonly retryMs: number
  /** The longest silence of another member that is asked for something, and of the own disk when a reader waits for it. */
  readonly silenceMs: number
  /** So long a block that was agreed to waits for its own stream, before it is fetched. */
  readonly streamGraceMs: number
  /** So long closing waits for blocks that are fetched; without them the container is sealed as one that may lack some. */
  readonly fetchPatienceMs: number
  /** So long the leader lets streams end before it closes their container. */
  readonly closePatienceMs: number
  /** So long a stop waits for what is being applied. */
  readonly stopMs: number
  /** A follower that hears nothing of its leader for once to twice so long asks for votes. */
  readonly electionTimeoutMs: number
  /**
   * Each datanode is in several pipelines, most of them idle, and an idle one costs what its heartbeats cost. Who waits for a new
   * leader meanwhile has five seconds (`BlockClient`).
   */
  readonly heartbeatMs: number
}

/** How a datanode behaves; composition fills it from the configuration file. Bytes and milliseconds. */
export interface HddsConfig extends AppenderLimits {
  /** Kept free on each disk for deletions, compaction and the index: below it, writes are refused. */
  readonly reserveBytes: number
  /** How often the free space is asked for; ten times as often while a disk is full. */
  readonly spaceCheckMs: number
  /** How often the index is made durable. What was written since is read again by a start after a crash. */
  readonly indexCheckpointMs: number
  /** Of one disk's index, in memory: one small block, or one MiB of a large one, each. */
  readonly cachedExtents: number
  /** Container files kept open per disk without a user. */
  readonly idleFiles: number
  /** Idle read buffers of 1 MiB, per datanode. */
  readonly idleReadBuffers: number
  /** A closed container is rewritten when this share of it is garbage, and at least `compactGarbageBytes`. */
  readonly compactGarbageShare: number
  readonly compactGarbageBytes: number
  readonly compactIntervalMs: number
  /** Copied by compaction at most, per disk. */
  readonly compactBytesPerSecond: number
  /** Every byte is verified once in this time. */
  readonly scrubDeadlineMs: number
  readonly heartbeatMs: number
  readonly pipeline: PipelineConfig
  /** Taken from other datanodes at most, for all copies together. */
  readonly copyBytesPerSecond: number
  /** Copies at a time; the others wait. Each holds a few MiB. */
  readonly maxCopies: number
  /** A source that sends nothing for so long loses what it was asked for to the others. */
  readonly copySilenceMs: number
  /** A copy that was begun and that nobody continues is removed after this. */
  readonly copyKeepMs: number
  /** Damaged replicas that were deleted, per disk, and how long they are kept. */
  readonly quarantineFiles: number
  readonly quarantineMs: number
}

const KiB = 1024
const MiB = 1024 * KiB

export const defaultHddsConfig: HddsConfig = {
  maxBatchBytes: 8 * MiB,
  maxBatchRecords: 512,
  eagerWriteBytes: 256 * KiB,
  writeBackBytes: 16 * MiB,
  maxUnsyncedBytes: 64 * MiB,
  preallocateBytes: 4 * MiB,
  reserveBytes: 256 * MiB,
  spaceCheckMs: 2_000,
  indexCheckpointMs: 30_000,
  cachedExtents: 64 * 1024,
  idleFiles: 256,
  idleReadBuffers: 64,
  compactGarbageShare: 0.3,
  compactGarbageBytes: MiB,
  compactIntervalMs: 10_000,
  compactBytesPerSecond: 64 * MiB,
  scrubDeadlineMs: 7 * 24 * 3_600_000,
  heartbeatMs: 1_000,
  pipeline: {
    segmentBytes: 4 * MiB,
    keptLogBytes: 256 * MiB,
    maxInFlightBytes: 32 * MiB,
    maxPendingBytes: 32 * MiB,
    checkpointBytes: 16 * MiB,
    maxHeldBytes: 512 * MiB,
    maxFetches: 2,
    retryMs: 1_000,
    silenceMs: 10_000,
    streamGraceMs: 5_000,
    fetchPatienceMs: 10_000,
    closePatienceMs: 60_000,
    stopMs: 2_000,
    electionTimeoutMs: 1_000,
    heartbeatMs: 200,
  },
  copyBytesPerSecond: 64 * MiB,
  maxCopies: 4,
  copySilenceMs: 15_000,
  copyKeepMs: 3_600_000,
  quarantineFiles: 8,
  quarantineMs: 30 * 24 * 3_600_000,
}
