import { StoreError } from '@o3/common/errors'
import type { CommittedPatch, LogIndex } from '../api/api.ts'
import { entryKind } from '../core/entry.ts'
import type { LogEntry, LogReader } from '../log/segmented-log.ts'
import type { LogFacts } from '../node/consensus.ts'
import { decodeEntry } from './entry-codec.ts'

/** How much of the log one follower holds in memory. */
const readBytes = 1024 * 1024

/** Feeds the followers of the change stream from the log: a slow one costs the store nothing but a file handle. */
export class ChangeStream {
  private readonly log: LogFacts
  private readonly committed: () => LogIndex
  private readonly sleepers = new Set<() => void>()
  private ended = false
  /** Goes up when the log becomes another one. */
  private epoch = 0

  constructor(log: LogFacts, committed: () => LogIndex) {
    this.log = log
    this.committed = committed
  }

  /** Something was committed. */
  notify(): void {
    for (const wake of this.sleepers) wake()
  }

  /** Followers end; those that are reading reject with `Closed`. */
  end(): void {
    this.ended = true
    this.notify()
  }

  /** The log was reset: what a reader still holds of the one before may never have been committed. */
  reset(): void {
    this.epoch++
    this.notify()
  }

  async *follow(from: LogIndex, signal: AbortSignal): AsyncGenerator<CommittedPatch, void, undefined> {
    let next = from
    while (!signal.aborted) {
      this.expectThere(next)
      for await (const entry of this.entriesOf(this.log.read(next), signal)) {
        next = entry.index + 1
        if (entryKind(entry.payload) === 'command') yield patchOf(entry)
      }
    }
  }

  /** What is committed, as it comes, until the log becomes another one. Closes the reader. */
  private async *entriesOf(reader: LogReader, signal: AbortSignal): AsyncGenerator<LogEntry, void, undefined> {
    const { epoch } = this
    const isOver = (): boolean => signal.aborted || this.epoch !== epoch
    try {
      while (!isOver()) {
        if (this.ended) throw new StoreError('Closed', 'the store was closed')
        const upTo = this.committed()
        const entries = await reader.next(upTo, readBytes)
        for (const entry of entries) {
          if (isOver()) return
          yield entry
        }
        if (entries.length === 0) await this.moreThan(upTo, signal)
      }
    } finally {
      await reader.close()
    }
  }

  private expectThere(from: LogIndex): void {
    if (from >= this.log.firstIndex) return
    throw new StoreError('InvalidRange', `changes before ${this.log.firstIndex} were compacted away`, {
      details: { index: from, firstIndex: this.log.firstIndex },
    })
  }

  private async moreThan(index: LogIndex, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.ended || this.committed() > index) return
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake)
        this.sleepers.delete(wake)
        resolve()
      }
      signal.addEventListener('abort', wake)
      this.sleepers.add(wake)
    })
  }
}

function patchOf({ index, term, payload }: LogEntry): CommittedPatch {
  const { wallMs, rows } = decodeEntry(payload)
  return { index, term, wallMs, rows }
}
