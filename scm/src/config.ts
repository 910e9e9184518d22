import type { AllocationLimits } from './core/allocation.ts'
import type { HealthLimits } from './core/cluster-view.ts'
import type { ContainerLimits } from './core/life/container-life.ts'
import type { KeySchedule } from './core/secret-key.ts'
import type { PipelineLimits } from './core/pipelines/pipeline-life.ts'
import type { SafemodeLimits } from './core/safemode.ts'
import type { ReconcileLimits } from './service/reconcile-tasks.ts'

/** How SCM behaves; composition fills it from the configuration file. Bytes and milliseconds. */
export interface ScmConfig
  extends
    HealthLimits,
    ContainerLimits,
    AllocationLimits,
    PipelineLimits,
    SafemodeLimits,
    ReconcileLimits,
    KeySchedule {
  /** Deletions sent to one datanode with one heartbeat. */
  readonly deletionsPerHeartbeat: number
  /** About containers, with one heartbeat, beside those. */
  readonly commandsPerHeartbeat: number
  /** Deletions that a leader keeps in memory; those behind them wait in the rows. */
  readonly trackedDeletions: number
}

export const defaultScmConfig: ScmConfig = {
  containerBytes: 1024 ** 3,
  garbageShare: 0.5,
  garbageFloorBytes: 64 * 1024 ** 2,
  closeAfterDeletions: 1_000,
  closeAfterDeletionMs: 300_000,
  openContainersPerNode: 2,
  openContainersPerPipeline: 2,
  deletionsPerHeartbeat: 256,
  commandsPerHeartbeat: 256,
  trackedDeletions: 200_000,
  // With a heartbeat every second: suspected within 5 s, given up soon enough for a first copy within 30 s.
  staleAfterMs: 4_000,
  deadAfterMs: 20_000,
  aloneAfterMs: 5_000,
  pipelinesPerNode: 2,
  pipelineGraceMs: 5_000,
  pipelineTimeoutMs: 60_000,
  safemodeGraceMs: 5_000,
  safemodeLimitMs: 60_000,
  repairAfterMs: 60_000,
  retryTaskMs: 30_000,
  secretKeyPeriodMs: 24 * 3_600_000,
  secretKeyLeadMs: 3_600_000,
}
