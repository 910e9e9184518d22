import type { Env } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { ScrubFinding } from '../api/api.ts'
import type { ContainerFileName } from '../core/container-name.ts'
import { recordSeed } from '../core/disk-identity.ts'
import type { HeaderProof } from '../core/record.ts'
import type { AppenderLimits } from './appender.ts'
import type { BlockIndex } from './block-index.ts'
import { crc32c } from './checksum.ts'
import type { FilePool } from './container-file.ts'
import type { DiskHealth } from './disk-health.ts'
import type { SpaceBudget } from './space-budget.ts'
import type { StorageMetrics } from './storage-metrics.ts'

/** What the containers of one disk share. */
export interface DiskScope {
  readonly env: Env
  readonly log: Logger
  readonly path: string
  readonly uuid: string
  readonly index: BlockIndex
  readonly health: DiskHealth
  readonly space: SpaceBudget
  readonly pool: FilePool
  readonly limits: AppenderLimits
  readonly metrics: StorageMetrics
  /** Damage that a reader, the scrubber or recovery came upon. */
  readonly report: (finding: ScrubFinding) => void
}

export function containersDirectory(diskPath: string): string {
  return `${diskPath}/containers`
}

export function indexDirectory(diskPath: string): string {
  return `${diskPath}/index`
}

/** Made once per file: the hot paths only pass it on. */
export function proofOf(diskUuid: string, name: ContainerFileName): HeaderProof {
  return { crc: crc32c, seed: recordSeed(diskUuid, name, crc32c) }
}
