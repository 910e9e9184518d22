/** What a member does with its log when it has left the group: everything in it comes into the containers, committed or not. */

import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import { openLog } from '@o3/ratis/log'
import type { LogOptions, SegmentedLog } from '@o3/ratis/log'
import { entryKind } from '@o3/ratis/node'
import type { PipelineConfig } from '../config.ts'
import { decodeEntry } from '../core/pipeline-entry.ts'
import type { PipelineEntry } from '../core/pipeline-entry.ts'
import type { EntryApplier, Settled } from './entry-applier.ts'

export interface DrainOptions {
  readonly env: Env
  readonly log: Logger
  readonly directory: string
  readonly config: PipelineConfig
  readonly applier: Pick<EntryApplier, 'apply' | 'idle'>
  /** Up to here everything is in the containers. */
  readonly durableIndex: number
}

/** What came of it: all that the log ever had, or not. */
export interface Drained extends Settled {
  /** The highest term that the log knows; 0: it cannot be read. */
  readonly term: number
}

const readBytes = 4 * 1024 * 1024

/** Of a pipeline's log: what is broken in it comes from the others. */
export function logOptions({ segmentBytes }: PipelineConfig): LogOptions {
  return { segmentBytes, maxBatchBytes: segmentBytes / 2, onDamage: 'repair' }
}

/**
 * An entry that nobody acknowledged does no harm, and of those that somebody did, a majority has each. A log that cannot be read
 * gives nothing: this replica may lack blocks, and is sealed as one that may.
 */
export async function drainLog(options: DrainOptions): Promise<Drained> {
  const { env, log, directory, config, applier, durableIndex } = options
  try {
    const opened = await openLog(env, directory, { ...logOptions(config), expectExisting: true })
    try {
      const failed = new Set<PipelineEntry['kind']>()
      await applyBehind(Math.max(durableIndex, opened.firstIndex - 1), opened, { ...options, failed })
      const isIdle = await Promise.race([
        applier.idle().then(() => true),
        env.clock.sleep(config.fetchPatienceMs).then(() => false),
      ])
      const { term, mayVote } = opened.hardState
      // Without a vote it has not yet got back what it lost.
      return { term, isWritten: mayVote && !failed.has('write-block'), isFetched: isIdle && !failed.has('agree-block') }
    } finally {
      await opened.close()
    }
  } catch (error) {
    if (!isStoreError(error)) throw error
    log.error({ error }, 'the log of a pipeline that this member has left cannot be read to its end')
    return { term: 0, isWritten: false, isFetched: false }
  }
}

interface Draining extends DrainOptions {
  /** Kinds of entries that could not be carried out. */
  readonly failed: Set<PipelineEntry['kind']>
}

async function applyBehind(index: number, opened: SegmentedLog, options: Draining): Promise<void> {
  const reader = opened.read(index + 1)
  try {
    for (let end = index; end < opened.lastIndex;) {
      const entries = await reader.next(opened.lastIndex, readBytes)
      if (entries.length === 0) throw new StoreError('Damaged', 'the log ends before its end')
      end = entries.at(-1)?.index ?? end
      await Promise.all(entries.map(({ payload }) => applyAlone(payload, options)))
    }
  } finally {
    await reader.close()
  }
}

/** A close may not have been committed: SCM says what is to be closed, and how. */
async function applyAlone(payload: Uint8Array, { applier, log, failed }: Draining): Promise<void> {
  if (entryKind(payload) !== 'command') return
  const entry = decodeEntry(payload)
  if (entry.kind === 'close-container') return
  const applied = applier.apply(entry).catch((error: unknown) => {
    if (!isStoreError(error)) throw error
    failed.add(entry.kind)
    log.warn({ error }, 'an entry was not carried out by a member that left its pipeline')
  })
  if (entry.kind === 'write-block') await applied
}
