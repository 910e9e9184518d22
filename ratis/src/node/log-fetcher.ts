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
  /** Nobody wants what it reads any more. */
  isLeft: boolean
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
    const place = this.placeOf(fetch)
    this.options.env.tasks.spawn('raft.fetch', async () => {
      let entries: readonly Entry[] = []
      try {
        entries = await this.read(place, fetch)
      } catch (error) {
        if (!isStoreError(error)) throw error
        // Cut away, or the log was changed under the reader: the core decides anew from what there is.
        const isGone = error.code === 'InvalidRange' || error.code === 'ConcurrentChange'
        if (!isGone && this.isCurrent(fetch.to, place)) return this.options.onFailure(error)
        await this.leave(fetch.to, place)
      }
      if (!this.isStopped && !place.isLeft) this.options.onFetched(fetch.to, entries)
    })
  }

  /** Closes readers that nobody used lately. */
  async sweep(): Promise<void> {
    const nowMs = this.options.env.clock.monotonicMs()
    for (const [to, place] of this.places) {
      if (!place.isBusy && nowMs - place.usedMs >= idleMs) await this.leave(to, place)
    }
  }

  async stop(): Promise<void> {
    this.isStopped = true
    for (const [to, place] of this.places) await this.leave(to, place)
  }

  /** The follower's reader, if it stands there; the core may have given up on a piece that is still being read. */
  private placeOf({ to, first }: Fetch): Place {
    const known = this.places.get(to)
    if (known !== undefined && known.nextIndex === first && !known.isBusy) {
      known.isBusy = true
      return known
    }
    if (known !== undefined) this.abandon(to, known)
    const { log, env } = this.options
    const usedMs = env.clock.monotonicMs()
    const place = { reader: log.read(first), nextIndex: first, usedMs, isBusy: true, isLeft: false }
    this.places.set(to, place)
    return place
  }

  private async read(place: Place, { last, maxBytes }: Fetch): Promise<readonly Entry[]> {
    const entries: Entry[] = []
    let bytes = 0
    try {
      while (place.nextIndex <= last && bytes < maxBytes && !place.isLeft) {
        const some = await place.reader.next(last, maxBytes - bytes)
        const lastRead = some.at(-1)
        if (lastRead === undefined) break
        for (const entry of some) bytes += entryBytes(entry)
        entries.push(...some)
        place.nextIndex = lastRead.index + 1
      }
      return entries
    } finally {
      place.isBusy = false
      place.usedMs = this.options.env.clock.monotonicMs()
      if (place.isLeft) await place.reader.close()
    }
  }

  private isCurrent(to: NodeId, place: Place): boolean {
    return !this.isStopped && this.places.get(to) === place
  }

  private abandon(to: NodeId, place: Place): void {
    this.options.env.tasks.spawn('raft.fetch-end', () => this.leave(to, place))
  }

  /** A reader in the middle of a read closes after it. */
  private async leave(to: NodeId, place: Place): Promise<void> {
    if (this.places.get(to) === place) this.places.delete(to)
    if (place.isLeft) return
    place.isLeft = true
    if (!place.isBusy) await place.reader.close()
  }
}
