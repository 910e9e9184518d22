/**
 * The log of one Raft group member on one directory: entries in checksummed segment files, a hard state beside them.
 *
 * Promises: an entry is acknowledged after its bytes, its file's name and everything before it are on stable storage; an
 * acknowledged entry is there after any crash, in order; one that was not acknowledged is there whole or not at all. A
 * failed write or sync ends the log for this process: nothing is retried. The next one re-verifies, and writes again what
 * the files cannot prove to be on the device. A full disk does not end it.
 */

import type { Env } from '@o3/common/env'
import { StoreError, type ErrorRecord } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import { foreign } from './damage.ts'
import { makeDurableDirectory } from './durable-directory.ts'
import type { AppendDone } from './group-commit.ts'
import { unknownIndex, type HardState, type HardStateFile } from './hard-state.ts'
import type { LogReader } from './log-reader.ts'
import { OpenLog, type LogSettings } from './open-log.ts'
import { blockBytes, type LogEntry } from './record.ts'
import { openHardState } from './open-hard-state.ts'
import { recoverSegments, type Recovery } from './recover-segments.ts'
import type { TermRun } from './term-runs.ts'

export type { AppendDone } from './group-commit.ts'
export { unknownIndex, type HardState } from './hard-state.ts'
export type { LogReader } from './log-reader.ts'
export type { LogEntry } from './record.ts'
export type { TermRun } from './term-runs.ts'
export { logSites, type LogSite } from './sites.ts'

export interface LogOptions {
  /** Length of a segment file, a multiple of 4 KiB; twice this is allocated at least. Default 64 MiB. */
  readonly segmentBytes?: number
  /** Most bytes of entries in one write. Default 4 MiB. */
  readonly maxBatchBytes?: number
  /** Most bytes of entries that wait; beyond, `append` throws `Busy`. Default 64 MiB. */
  readonly maxQueuedBytes?: number
  /** The log's identity, 32 hex digits: recorded when the log is made, and refused when another one is found. */
  readonly groupId?: string
  /**
   * How long the durable commit floor may lag behind `noteCommitted`. Within that time a rotten last record looks like a
   * torn one. Default 1,000; 0 turns the timer off.
   */
  readonly commitFloorMs?: number
  /** How often a full disk is tried again. Default 1,000. */
  readonly spaceRetryMs?: number
  /**
   * What to do when something that had been durable is broken or missing. `refuse`, the default, does not start: a group of
   * one has nobody to ask. `repair` is for a member of several: the log starts with what is good, `opening.damage` says what
   * was found, and `hardState.mayVote` is durably false before the log opens. The entries come back from the others, as to
   * any member that lags; when the log is past `catchUpIndex`, the caller saves `mayVote: true`.
   */
  readonly onDamage?: 'refuse' | 'repair'
  /** The member is known to have had a log: a blank directory is damage. Default false. */
  readonly expectExisting?: boolean
}

/** Something that had been durable was broken or missing, and the log went on without it. */
export interface LogDamage {
  /**
   * The first index that is not in the log any more. At or below `checkpointIndex`, the log does not meet the state
   * machine's store: the caller resets it to the place up to which the store holds everything.
   */
  readonly firstBadIndex: LogIndex
  /** The highest index that the log may have held; `unknownIndex` when nobody can say. Also `hardState.catchUpIndex`. */
  readonly lastPossibleIndex: LogIndex
  readonly path: string
  readonly offset: number
  readonly reason: string
}

/** What opening the log found and did. */
export interface LogOpening {
  readonly created: boolean
  readonly cutBytes: number
  /** With `onDamage: 'repair'` only, and only at the start that found it. */
  readonly damage?: LogDamage
}

/** What the caller decides of the hard state; the log keeps the rest. */
export type HardStateChange = Partial<Pick<HardState, 'term' | 'vote' | 'mayVote' | 'commitFloor' | 'checkpointIndex'>>

export interface SegmentedLog {
  readonly hardState: HardState
  readonly opening: LogOpening
  /** The first entry that can be read; `lastIndex + 1` when there is none. */
  readonly firstIndex: LogIndex
  /** The last entry appended, durable or under way. The next one's index is one more. */
  readonly lastIndex: LogIndex
  readonly durableIndex: LogIndex
  /**
   * The log as runs of one term each, oldest first; with the entry before the first, so that the first run begins at
   * `firstIndex - 1`, and with what is under way.
   */
  readonly termRuns: readonly TermRun[]
  /** Term of the entry at `index`, also of those under way and of `firstIndex - 1`. Undefined outside. O(log of runs). */
  termAt(index: LogIndex): Term | undefined
  /** Bytes in segments, without what is only preallocated. */
  readonly bytes: number
  /** Bytes of entries under way. */
  readonly queuedBytes: number
  /** The largest append that the log takes, entry headers of 32 bytes included. */
  readonly maxAppendBytes: number
  /** True while the disk does not let the log keep its reserve (a spare segment): only what frees space should be appended. */
  readonly outOfSpace: boolean
  readonly failed: ErrorRecord | undefined
  /**
   * Appends entries with indexes `lastIndex + 1 …`; `done` is called when they are durable or refused (see `AppendDone`).
   * Throws `VolumeFailed`, `Closed`, `Busy`, or `TooLarge` (an append must fit into one segment); nothing happened then.
   */
  append(entries: readonly LogEntry[], done: AppendDone): void
  /** Tells that all entries up to `index` are committed: from now on missing one of them is damage. */
  noteCommitted(index: LogIndex): void
  /**
   * Durable when it resolves: two syncs. Saves are done in the order asked. What is appended or cut after the call of a save
   * of term, vote or `mayVote` reaches the disk after it; so an acknowledged entry implies the hard state of before. What was
   * appended earlier is not waited for. A commit floor is taken as far as the log is durable. `mayVote: true` also
   * forgets `catchUpIndex`.
   */
  saveHardState(change: HardStateChange): Promise<void>
  /** A reader that starts at `from`. Must be closed. */
  read(from: LogIndex): LogReader
  /**
   * Removes every entry from `index` on, which conflict with the leader's log; the next append starts there. What was
   * appended before is written first and told so, though it may be cut away; what is appended later is durable only when the
   * cut is. From the call on `durableIndex` counts nothing of what is cut.
   *
   * `done` without an error: the cut is durable. A crash before shows the log with or without what was cut, never a mixture;
   * after, it never comes back. With `OutOfSpace` nothing happened, and all later appends were refused as well; with
   * `OutcomeUnknown`, a restart will tell. It costs a segment file and five syncs, and is for changes of leader.
   *
   * Throws `Damaged` when an entry to be removed is known to be committed or compacted away, `InvalidArgument` behind
   * `lastIndex + 1`, `VolumeFailed`, `Closed`; nothing happened then.
   */
  truncateFrom(index: LogIndex, done: AppendDone): void
  /**
   * Forgets all entries: the log starts behind a snapshot's place, whose entries count as committed; the next append is of
   * `place.index + 1`. When it resolves this is durable; a crash before shows the old log or the new one. The checkpoint
   * stays where it is: the caller saves it when the state machine's store holds the snapshot. In one order with appends
   * and cuts. Rejects as `truncateFrom`.
   */
  resetTo(place: { readonly index: LogIndex; readonly term: Term }): Promise<void>
  /** Removes whole segments that only hold entries before `index` and are older than the newest `keepBytes` of log. */
  truncateBefore(index: LogIndex, keepBytes?: number): Promise<void>
  /** Waits for what is under way, records how far it is committed, closes the files. Idempotent. */
  close(): Promise<void>
}

const defaults: LogSettings = {
  segmentBytes: 64 * 1024 * 1024,
  maxBatchBytes: 4 * 1024 * 1024,
  maxQueuedBytes: 64 * 1024 * 1024,
  commitFloorMs: 1000,
  spaceRetryMs: 1000,
  onDamage: 'refuse',
  expectExisting: false,
}

/**
 * Opens the log in `directory`, making it when there is none. Rejects with `Damaged` (details: `path`, `offset`) when
 * something that had been durable is broken or missing and is not to be repaired, `Incompatible` when the files are another log's or of another
 * format, `OutOfSpace` when a new log has no room, or entries that have to be written again. The caller holds the lock of the data directory.
 */
export async function openLog(env: Env, directory: string, options: LogOptions = {}): Promise<SegmentedLog> {
  const settings: LogSettings = { ...defaults, ...options }
  if (settings.segmentBytes % blockBytes !== 0 || settings.segmentBytes < 2 * blockBytes) {
    throw new StoreError(
      'InvalidArgument',
      `segmentBytes must be a multiple of ${blockBytes}, and at least two of them`,
    )
  }
  await makeDurableDirectory(env.disk, directory)
  const { groupId, onDamage, expectExisting } = { groupId: undefined, ...settings }
  const opened = await openHardState(env, directory, { groupId, onDamage, expectExisting })
  const hardState = opened.file
  try {
    if (groupId !== undefined && hardState.state.groupId !== groupId) {
      throw foreign(directory, `this log belongs to group ${hardState.state.groupId}`)
    }
    const recovery = await recoverSegments(env, directory, { hard: hardState.state, onDamage })
    const damage = damageOf(recovery, opened.loss)
    if (damage !== undefined) await forbidVote(env, hardState, recovery, damage)
    // Only a hard state that was lost knows less than the log.
    const term = recovery.terms.lastTerm
    if (term > hardState.state.term) await hardState.save({ term, vote: '' })
    // What was read may be in the page cache only, even though the copies agree: the sync of the second one had failed.
    // Another sync would write nothing then, but pages that are written again are dirty again. Whoever saved it was not told
    // that it is durable, so if the power goes now, the older copy is as good.
    else if (damage === undefined) await hardState.save({})
    const log = new OpenLog(env, { directory, settings, hardState, recovery, created: opened.created, damage })
    await log.start()
    return log
  } catch (error) {
    await hardState.close()
    throw error
  }
}

function damageOf({ damage, terms }: Recovery, loss: StoreError | undefined): LogDamage | undefined {
  const error = loss ?? damage?.error
  if (error === undefined) return undefined
  const { path, offset } = error.details
  return {
    firstBadIndex: terms.lastIndex + 1,
    lastPossibleIndex: loss === undefined && damage !== undefined ? damage.lastPossibleIndex : unknownIndex,
    path: typeof path === 'string' ? path : '',
    offset: typeof offset === 'number' ? offset : 0,
    reason: error.message,
  }
}

/** Before anything else is done about the damage: a start that is cut short now must not forget it. */
async function forbidVote(env: Env, file: HardStateFile, recovery: Recovery, damage: LogDamage): Promise<void> {
  const { state } = file
  const { terms, youngest } = recovery
  env.at('log.repair.before-hard-state')
  await file.save({
    mayVote: false,
    catchUpIndex: Math.max(state.catchUpIndex, damage.lastPossibleIndex),
    // What is missing is known to be, from now on.
    commitFloor: Math.min(state.commitFloor, terms.lastIndex),
    // Numbers of segments are never used again.
    ...(youngest !== undefined &&
      youngest.sequence > state.lastSequence && {
        lastSequence: youngest.sequence,
        lastFirstIndex: youngest.firstIndex,
      }),
  })
}
