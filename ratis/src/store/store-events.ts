import type { ErrorRecord } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'

/** What an operator may want in the log. */
export type StoreEvent =
  | {
      readonly kind: 'opened'
      readonly created: boolean
      readonly replayedEntries: number
      readonly cutBytes: number
      readonly durationMs: number
    }
  | { readonly kind: 'checkpoint'; readonly index: LogIndex; readonly durationMs: number }
  | { readonly kind: 'checkpoint-postponed'; readonly error: ErrorRecord }
  | { readonly kind: 'failed'; readonly error: ErrorRecord; readonly cause: unknown }

/**
 * Counts since the store was opened; plain numbers that the store increments and a metrics page reads. Hits are those of
 * `get`, misses also those of plans.
 */
export interface StoreCounters {
  commands: number
  /** Runs of plans; more than `commands` by those that had to fetch rows. */
  plans: number
  refusals: number
  entries: number
  entryBytes: number
  rowsWritten: number
  cacheHits: number
  cacheMisses: number
  /** Not a count: what the cached rows take, as of the last commit. */
  cachedBytes: number
  checkpoints: number
}

export function newStoreCounters(): StoreCounters {
  return {
    commands: 0,
    plans: 0,
    refusals: 0,
    entries: 0,
    entryBytes: 0,
    rowsWritten: 0,
    cacheHits: 0,
    cacheMisses: 0,
    cachedBytes: 0,
    checkpoints: 0,
  }
}
