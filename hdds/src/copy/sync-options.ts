import type { Logger } from '@o3/common/logger'
import type { LocalId } from '@o3/scm/api'
import type { ReplicaSource, ReplicaSummary, ScrubFinding } from '../api/api.ts'
import type { Container } from '../storage/container.ts'
import type { FetchScope } from './block-fetch.ts'

export interface SyncOptions extends FetchScope {
  readonly target: Container
  readonly sources: readonly ReplicaSource[]
  readonly log: Logger
  /** Blocks of the replica that are not wanted: `drop` them, or `keep` them unless an authority says so. */
  readonly extras: 'drop' | 'keep'
  /** False for a block that was deleted here. */
  readonly mayTake: (local: LocalId) => boolean
  readonly report: (finding: ScrubFinding) => void
}

/** What the sources said of themselves, and what came of it. */
export interface SyncResult {
  /** There was a sound source that had been closed by agreement. */
  readonly byAuthority: boolean
  /** Blocks that a source has and that were not taken, because they were deleted here. */
  readonly refused: number
  /** What the sources are that gave all they have. */
  readonly from: readonly ReplicaSummary[]
}

/** A source of this attempt. */
export interface Participant {
  readonly index: number
  readonly source: ReplicaSource
  readonly summary: ReplicaSummary
}

/** Its word counts on what was deleted: it was closed by agreement, and verifies. */
export function isAuthority({ summary }: Participant): boolean {
  return summary.seal === 'agreed' && !summary.damaged
}
