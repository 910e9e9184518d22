/** Bounds so small, and times so short, that half a minute sees a whole life of containers. */

import { defaultHddsConfig, type HddsConfig } from '@o3/hdds/module'
import { defaultOmConfig, type OmConfig } from '@o3/om/module'
import { defaultReplicationConfig, defaultScmConfig, type ReplicationConfig, type ScmConfig } from '@o3/scm/module'
import type { DataPlan } from './data-plan.ts'

const KiB = 1024
const MiB = 1024 * KiB

export const hddsBounds: HddsConfig = {
  ...defaultHddsConfig,
  maxBatchBytes: 256 * KiB,
  maxBatchRecords: 8,
  eagerWriteBytes: 16 * KiB,
  writeBackBytes: 64 * KiB,
  maxUnsyncedBytes: 256 * KiB,
  preallocateBytes: 16 * KiB,
  reserveBytes: 64 * KiB,
  spaceCheckMs: 1_000,
  indexCheckpointMs: 3_000,
  cachedExtents: 64,
  idleFiles: 4,
  compactGarbageShare: 0.2,
  compactGarbageBytes: KiB,
  compactIntervalMs: 2_000,
  scrubDeadlineMs: 15_000,
  heartbeatMs: 500,
  copyBytesPerSecond: MiB,
  copySilenceMs: 3_000,
  copyKeepMs: 20_000,
  quarantineMs: 30_000,
  pipeline: {
    ...defaultHddsConfig.pipeline,
    segmentBytes: 1_536 * KiB,
    keptLogBytes: 6 * MiB,
    maxInFlightBytes: 2 * MiB,
    maxPendingBytes: MiB,
    checkpointBytes: 256 * KiB,
    retryMs: 300,
    silenceMs: 3_000,
    streamGraceMs: 1_000,
    fetchPatienceMs: 4_000,
    closePatienceMs: 4_000,
  },
}

export const scmBounds = ({ containerBytes }: DataPlan): ScmConfig => ({
  ...defaultScmConfig,
  containerBytes,
  garbageFloorBytes: 32 * KiB,
  closeAfterDeletions: 12,
  closeAfterDeletionMs: 6_000,
  openContainersPerPipeline: 1,
  staleAfterMs: 2_000,
  deadAfterMs: 6_000,
  aloneAfterMs: 2_000,
  pipelinesPerNode: 2,
  pipelineGraceMs: 2_000,
  pipelineTimeoutMs: 10_000,
  safemodeGraceMs: 2_000,
  safemodeLimitMs: 10_000,
  repairAfterMs: 8_000,
  retryTaskMs: 3_000,
})

export const repairBounds: ReplicationConfig = {
  ...defaultReplicationConfig,
  reserveBytes: 64 * KiB,
  firstBackoffMs: 500,
  mostBackoffMs: 5_000,
  avoidMs: 3_000,
  patienceMs: 6_000,
  landingMs: 5_000,
  silenceMs: 5_000,
  stallMs: 15_000,
  encodeAfterMs: 3_000,
  // Whoever found it not worth it is asked again after each deletion: so it is known when all has come to rest.
  anewStep: 0,
  balance: { ...defaultReplicationConfig.balance, everyMs: 2_000 },
}

export const omBounds: OmConfig = {
  ...defaultOmConfig,
  leaseDurationMs: 6_000,
  stockBlocks: 8,
  stockMaxAgeMs: 4_000,
  blockDeletionDelayMs: 2_000,
  blockDeletionBatch: 16,
  reconcileIntervalMs: 500,
}
