import type { HealthLimits } from './core/cluster-view.ts'
import type { ContainerLimits } from './core/container-planner.ts'
import type { KeySchedule } from './core/secret-key.ts'

/** How SCM behaves; composition fills it from the configuration file. */
export interface ScmConfig extends HealthLimits, ContainerLimits, KeySchedule {
  /** Containers kept open for writing per datanode, so that concurrent writers do not share one file. */
  readonly openContainersPerNode: number
  /** Deletions sent to one datanode with one heartbeat. */
  readonly deletionsPerHeartbeat: number
}

export const defaultScmConfig: ScmConfig = {
  containerBytes: 1024 ** 3,
  garbageShare: 0.5,
  garbageFloorBytes: 64 * 1024 ** 2,
  openContainersPerNode: 2,
  deletionsPerHeartbeat: 256,
  staleAfterMs: 5_000,
  deadAfterMs: 30_000,
  secretKeyPeriodMs: 24 * 3_600_000,
  secretKeyLeadMs: 3_600_000,
}
