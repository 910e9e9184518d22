import type { Env } from '@o3/common/env'
import { isStoreError, type StoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import { entryBytes, type Entry, type NodeId } from '../core/entry.ts'
import type { Fetch } from '../core/ready.ts'
import type { LogReader, SegmentedLog } from '../log/segmented-log.ts'

export interface LogFetcherOptions {
  readonly env: Pick<Env, 'tasks' | 'clock'>
  readonly log: SegmentedLog
  readonly onFetched: (to: NodeId, entries: readonly Entry[]) => void
  /** Entries of the log do not verify. */
  readonly onFailure: (error: StoreError) => void
}

interface Place {
  readonly reader: LogReader
  /** What it gives next. */
  nextIndex: LogIndex
  usedMs: number
  isBusy: boolean
}

/** A reader that was not used for so long is closed. */
const idleMs = 5_000

/**
 * Entries from the log on disk for followers. One that is far behind reads on where it stopped, so its reader stays open; the
 * core asks for one piece at a time and follower, which bounds what is in memory.
 */
export class LogFetcher {
  private readonly options: LogFetcherOptions
  private readonly places = new Map<NodeId, Place>()
  private isStopped = false

  constructor(options: LogFetcherOptions) {
    this.options = options
  }

  /** How many readers are open. */
  get count(): number {
    return this.places.size
  }

  fetch(fetch: Fetch): void {
    this.options.env.tasks.spawn('raft.fetch', async () => {
      let entries: readonly Entry[] = []
      try {
        entries = await this.read(fetch)
      } catch (error) {
        if (!isStoreError(error)) throw error
        // Cut away, or the log was changed under the reader: the core decides anew from what there is.
        const isGone = error.code === 'InvalidRange' || error.code === 'ConcurrentChange'
        if (!isGone && !this.isStopped) return this.options.onFailure(error)
      }
      if (!this.isStopped) this.options.onFetched(fetch.to, entries)
    })
  }

  /** Closes readers that nobody used lately. */
  async sweep(): Promise<void> {
    const nowMs = this.options.env.clock.monotonicMs()
    for (const [to, { usedMs, isBusy }] of this.places) {
      if (!isBusy && nowMs - usedMs >= idleMs) await this.leave(to)
    }
  }

  async stop(): Promise<void> {
    this.isStopped = true
    for (const to of this.places.keys()) await this.leave(to)
  }

  private async read({ to, first, last, maxBytes }: Fetch): Promise<readonly Entry[]> {
    const known = this.places.get(to)
    if (known !== undefined && (known.nextIndex !== first || known.isBusy)) await this.leave(to)
    const place = this.places.get(to) ?? this.enter(to, first)
    const entries: Entry[] = []
    let bytes = 0
    place.isBusy = true
    try {
      while (place.nextIndex <= last && bytes < maxBytes) {
        const some = await place.reader.next(last, maxBytes - bytes)
        const lastRead = some.at(-1)
        if (lastRead === undefined) break
        for (const entry of some) bytes += entryBytes(entry)
        entries.push(...some)
        place.nextIndex = lastRead.index + 1
      }
      return entries
    } catch (error) {
      await this.leave(to)
      throw error
    } finally {
      place.isBusy = false
      place.usedMs = this.options.env.clock.monotonicMs()
      if (this.isStopped) await this.leave(to)
    }
  }

  private enter(to: NodeId, first: LogIndex): Place {
    const { log, env } = this.options
    const place = { reader: log.read(first), nextIndex: first, usedMs: env.clock.monotonicMs(), isBusy: false }
    this.places.set(to, place)
    return place
  }

  private async leave(to: NodeId): Promise<void> {
    const place = this.places.get(to)
    this.places.delete(to)
    await place?.reader.close()
  }
}
