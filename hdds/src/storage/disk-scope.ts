import type { Env } from '@o3/common/env'
import type { Logger } from '@o3/common/log'
import type { ScrubFinding } from '../api/api.ts'
import type { ContainerFileName } from '../core/container-name.ts'
import { recordSeed } from '../core/disk-identity.ts'
import type { AppenderLimits } from './appender.ts'
import type { BlockIndex } from './block-index.ts'
import { crc32c } from './checksum.ts'
import type { FilePool } from './container-file.ts'
import type { DiskHealth } from './disk-health.ts'
import type { SpaceBudget } from './space-budget.ts'

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
  /** Damage that a reader, the scrubber or recovery came upon. */
  readonly report: (finding: ScrubFinding) => void
}

export function containersDirectory(diskPath: string): string {
  return `${diskPath}/containers`
}

export function indexDirectory(diskPath: string): string {
  return `${diskPath}/index`
}

export function seedOf(diskUuid: string, name: ContainerFileName): number {
  return recordSeed(diskUuid, name, crc32c)
}
