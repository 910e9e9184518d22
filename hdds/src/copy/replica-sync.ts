/**
 * Brings a replica to what its sources hold. A pass walks the local ids in windows: the lists of all sources and of the
 * replica are merged (`planWindow`), and what is missing is fetched from all that have it. Passes are repeated until one has
 * found nothing to do, because the sources go on living: a block that is deleted at one of them while the replica takes it
 * from another is dropped by the next pass. After some passes it is given up; what was taken stays for the next attempt.
 *
 * A source is believed only as far as it agrees with itself: the hashes of what it lists must add up to the hash that it
 * reports. One whose do not is left out, and so is one that fails.
 */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { LocalId } from '@o3/scm/api'
import type { BlockInfo, ReplicaSource, ReplicaSummary, ScrubFinding } from '../api/api.ts'
import { emptyHash, formatHash, withBlock } from '../core/content-hash.ts'
import type { ContentHash } from '../core/content-hash.ts'
import { planWindow } from '../core/copy-plan.ts'
import type { BlockConflict, ListedBlock, Listing, WantedBlock } from '../core/copy-plan.ts'
import { CopyQueue } from '../core/copy-queue.ts'
import { ListingPages } from '../core/listing-window.ts'
import { runsOf } from '../core/tombstone.ts'
import { deleteBlocks } from '../storage/container-deletion.ts'
import type { Container } from '../storage/container.ts'
import { BlockFetch, TargetFailure } from './block-fetch.ts'
import type { FetchScope } from './block-fetch.ts'
import { listPage } from './local-replica.ts'
import { isSoundHere, provesItself, sameVersion } from './prove-block.ts'
import { untilAborted } from '../service/until-aborted.ts'

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
}

/** A source of this attempt. */
export interface Participant {
  readonly index: number
  readonly source: ReplicaSource
  readonly summary: ReplicaSummary
}

const pageBlocks = 4096
const maxPasses = 6
const queueLimits = { maxBytes: 8 * 1024 * 1024, maxBlocks: 256 }
/** Of blocks that are missing, in a message. */
const maxNamed = 3
/** A source that fails so often is not asked again. */
const maxFailures = 3
const pauseMs = 1_000

/** The sealed replicas among them, each with its summary. Those that cannot be asked, or are open, are left out. */
export async function survey(
  container: number,
  sources: readonly ReplicaSource[],
  log: Logger,
): Promise<readonly Participant[]> {
  const found = await Promise.all(
    sources.map(async (source, index): Promise<Participant | undefined> => {
      try {
        const summary = await source.summarizeReplica(container)
        return summary.seal === 'none' ? undefined : { index, source, summary }
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        log.warn({ container, source: source.id, error }, 'a source of a copy cannot be asked')
        return undefined
      }
    }),
  )
  const there = found.filter((each) => each !== undefined)
  if (there.length > 0) return there
  throw new StoreError('Unavailable', `no sealed replica of container ${container} can be reached`, {
    details: { container },
  })
}

export function isAuthority({ summary }: Participant): boolean {
  return summary.seal === 'agreed' && !summary.damaged
}

interface Pass {
  readonly changed: boolean
  readonly byAuthority: boolean
  readonly refused: number
  readonly unavailable: readonly LocalId[]
}

export class ReplicaSync {
  private readonly options: SyncOptions
  private readonly failures = new Map<ReplicaSource, number>()
  private readonly excluded = new Set<ReplicaSource>()

  constructor(options: SyncOptions) {
    this.options = options
  }

  /**
   * Until nothing is left to do. Rejects with `Unavailable` (no source, or blocks that none can give), `Damaged` (sources
   * that contradict each other: a finding), `ConcurrentChange` (they do not come to rest), what the target failed with, or
   * the signal's reason.
   */
  async run(): Promise<SyncResult> {
    let unavailable: readonly LocalId[] = []
    for (let number = 1; number <= maxPasses; number++) {
      this.options.signal.throwIfAborted()
      const pass = await this.passOrPause(number)
      if (pass === undefined) continue
      unavailable = pass.unavailable
      if (!pass.changed && unavailable.length === 0) return pass
    }
    const { container } = this.options
    if (unavailable.length > 0) {
      const some = unavailable.slice(0, maxNamed).join(', ')
      throw new StoreError('Unavailable', `no source can give ${unavailable.length} blocks (${some}) of ${container}`, {
        details: { container },
      })
    }
    throw new StoreError('ConcurrentChange', `the replicas of container ${container} do not come to rest`, {
      details: { container },
    })
  }

  /** Undefined when every source has failed, and some may be there again later. */
  private async passOrPause(number: number): Promise<Pass | undefined> {
    try {
      return await this.pass()
    } catch (error) {
      const { signal, clock, sources } = this.options
      const isLast = number === maxPasses || sources.every((source) => this.excluded.has(source))
      if (isLast || signal.aborted || !isStoreError(error, 'Unavailable')) throw error
      await clock.sleep(pauseMs, signal)
      return undefined
    }
  }

  private noteFailure(source: ReplicaSource): void {
    const failures = (this.failures.get(source) ?? 0) + 1
    this.failures.set(source, failures)
    if (failures >= maxFailures) this.excluded.add(source)
  }

  private async pass(): Promise<Pass> {
    const { options } = this
    const left = options.sources.filter((source) => !this.excluded.has(source))
    const participants = await untilAborted(survey(options.container, left, options.log), options.signal)
    const walk = new PassWalk(options, participants, (source) => this.noteFailure(source))
    const pass = await walk.run()
    if (await this.findLiars(participants, walk)) return { ...pass, changed: true }
    if (walk.extra.length > 0 && (options.extras === 'drop' || pass.byAuthority)) {
      await deleteBlocks(options.target, runsOf(walk.extra))
      return { ...pass, changed: true }
    }
    return pass
  }

  /** True when somebody was left out, or has changed meanwhile. */
  private async findLiars(participants: readonly Participant[], walk: PassWalk): Promise<boolean> {
    let found = false
    for (const { source, summary, index } of participants) {
      const listed = walk.hashOf(index)
      if (walk.hasFailed(index)) found ||= true
      if (walk.hasFailed(index) || listed === undefined || summary.contentHash === undefined) continue
      if (formatHash(listed) === summary.contentHash) continue
      found = true
      const now = await this.summaryOf(source)
      if (now?.contentHash !== summary.contentHash) continue // it lives: the next pass sees what it is now
      this.excluded.add(source)
      const { log, container } = this.options
      log.error({ container, source: source.id }, 'a replica lists other blocks than its hash says; it is left out')
    }
    return found
  }

  private async summaryOf(source: ReplicaSource): Promise<ReplicaSummary | undefined> {
    try {
      return await source.summarizeReplica(this.options.container)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      return undefined
    }
  }
}

/** One pass over all local ids. */
class PassWalk {
  /** Here, and not wanted. */
  readonly extra: LocalId[] = []
  private readonly options: SyncOptions
  private readonly participants: readonly Participant[]
  private readonly noteFailure: (source: ReplicaSource) => void
  private readonly hashes = new Map<number, ContentHash | undefined>()
  private readonly failed = new Set<number>()
  private readonly unavailable: LocalId[] = []
  private taken = 0
  private refused = 0

  constructor(
    options: SyncOptions,
    participants: readonly Participant[],
    noteFailure: (source: ReplicaSource) => void,
  ) {
    this.options = options
    this.participants = participants
    this.noteFailure = noteFailure
    for (const { index } of participants) this.hashes.set(index, emptyHash)
  }

  /** Of what it listed; undefined when a block had no checksum. */
  hashOf(index: number): ContentHash | undefined {
    return this.hashes.get(index)
  }

  hasFailed(index: number): boolean {
    return this.failed.has(index)
  }

  async run(): Promise<Pass> {
    const own = new ListingPages()
    const lists = this.participants.map((participant) => ({ participant, pages: new ListingPages() }))
    for (;;) {
      await this.fillOwn(own)
      await Promise.all(lists.map(({ participant, pages }) => this.fill(participant, pages)))
      const alive = lists.filter(({ participant }) => !this.failed.has(participant.index))
      if (alive.length === 0) throw new StoreError('Unavailable', 'every source of a copy has failed')
      const all = [own, ...alive.map(({ pages }) => pages)]
      if (all.every((pages) => pages.isOver)) break
      const upTo = Math.min(...all.map((pages) => pages.knownUpTo))
      const listings = alive.map(({ participant, pages }): Listing => {
        return { source: participant.index, isAuthority: isAuthority(participant), blocks: pages.cut(upTo) }
      })
      await this.window(own.cut(upTo), listings)
    }
    const byAuthority = this.participants.some((each) => isAuthority(each) && !this.failed.has(each.index))
    const { taken, refused, unavailable } = this
    return { changed: taken > 0, byAuthority, refused, unavailable }
  }

  private async window(own: readonly ListedBlock[], listings: readonly Listing[]): Promise<void> {
    for (const { source, blocks } of listings) {
      let sum = this.hashes.get(source)
      for (const block of blocks) sum = withBlock(sum, block)
      this.hashes.set(source, sum)
    }
    const plan = planWindow(own, listings)
    this.extra.push(...plan.extra)
    this.unavailable.push(...plan.unprovable)
    const wanted: WantedBlock[] = [...plan.take]
    for (const conflict of plan.conflicts) {
      const settled = await this.settleConflict(conflict)
      if (settled !== undefined) wanted.push(settled)
    }
    const allowed = wanted.filter(({ local }) => this.options.mayTake(local))
    this.refused += wanted.length - allowed.length
    if (allowed.length > 0) await this.fetch(allowed)
  }

  private async fetch(blocks: readonly WantedBlock[]): Promise<void> {
    const queue = new CopyQueue(blocks, queueLimits)
    const bell = new Bell()
    const workers = this.participants.map((participant) => this.work(participant, queue, bell))
    const results = await Promise.allSettled(workers)
    for (const result of results) if (result.status === 'rejected') throw result.reason
    this.unavailable.push(...queue.unavailable)
    this.taken += blocks.length - queue.unavailable.length
  }

  private async work({ index, source }: Participant, queue: CopyQueue, bell: Bell): Promise<void> {
    const fetch = new BlockFetch(this.options, queue)
    if (this.failed.has(index)) queue.exclude(index)
    while (!queue.isDone && !bell.isOver) {
      const assignment = this.failed.has(index) ? undefined : queue.take(index)
      if (assignment === undefined) {
        if (this.failed.has(index)) break
        await bell.next()
        continue
      }
      try {
        await fetch.run(source, assignment)
        queue.ended(assignment, 'complete')
      } catch (error) {
        if (error instanceof TargetFailure || !(error instanceof StoreError) || this.options.signal.aborted) {
          bell.end()
          throw error instanceof TargetFailure ? error.cause : error
        }
        queue.ended(assignment, 'failed')
        queue.exclude(index)
        this.giveUp(index, source, error)
      }
      bell.ring()
    }
    bell.ring()
  }

  private giveUp(index: number, source: ReplicaSource, error: StoreError): void {
    const { log, container } = this.options
    log.warn({ container, source: source.id, error }, 'a source of a copy fails; the others go on')
    this.failed.add(index)
    this.noteFailure(source)
  }

  /** The version that is right, where it is not here; undefined where it is. Where reading does not tell: a finding. */
  private async settleConflict({ local, versions, own }: BlockConflict): Promise<WantedBlock | undefined> {
    const { target, container, report } = this.options
    const sound: WantedBlock[] = []
    for (const version of versions) {
      const holders: number[] = []
      for (const index of version.holders) {
        const participant = this.participants.find((each) => each.index === index)
        if (participant !== undefined && (await provesItself(this.options, participant.source, version))) {
          holders.push(index)
        }
      }
      if (holders.length > 0) sound.push({ ...version, holders })
    }
    const ownIsSound = own !== undefined && (await isSoundHere(target, own))
    const [only] = sound
    if (sound.length === 0) {
      if (own === undefined) this.unavailable.push(local)
      return undefined
    }
    if (sound.length === 1 && only !== undefined && own === undefined) return only
    if (ownIsSound && sound.every((version) => sameVersion(version, own))) return undefined
    const message = ownIsSound
      ? `block ${local}: another replica has other bytes under its id, and both verify`
      : `block ${local}: other replicas have other bytes under its id`
    report({ kind: 'index-mismatch', container, local, path: target.current.file.path, fileOffset: 0, message })
    throw new StoreError('Damaged', `block ${container}/${local} is not the same at all replicas`, {
      details: { container, local, offset: 0, path: target.current.file.path },
    })
  }

  private async fillOwn(pages: ListingPages): Promise<void> {
    const { target } = this.options
    const { wanted } = pages
    if (wanted === undefined) return
    const blocks = await listPage(target, { container: target.id, after: wanted.after, limit: pageBlocks })
    pages.add(blocks.map(listed), blocks.length < pageBlocks)
  }

  private async fill({ index, source }: Participant, pages: ListingPages): Promise<void> {
    const { container } = this.options
    const { wanted } = pages
    if (wanted === undefined || this.failed.has(index)) return
    try {
      const page = { container, after: wanted.after, limit: pageBlocks }
      const blocks = await untilAborted(source.listReplica(page), this.options.signal)
      pages.add(blocks.map(listed), blocks.length < pageBlocks)
    } catch (error) {
      this.options.signal.throwIfAborted()
      if (error instanceof RangeError) this.giveUp(index, source, new StoreError('Incompatible', error.message))
      else if (error instanceof StoreError) this.giveUp(index, source, error)
      else throw error
    }
  }
}

/** Wakes those that have nothing to do when something may have changed. */
class Bell {
  isOver = false
  private waiting: (() => void)[] = []

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve)
    })
  }

  ring(): void {
    const { waiting } = this
    this.waiting = []
    for (const wake of waiting) wake()
  }

  /** There is nothing more to do for anybody. */
  end(): void {
    this.isOver = true
    this.ring()
  }
}

function listed({ block, lengthBytes, checksum }: BlockInfo): ListedBlock {
  return { local: block.local, lengthBytes, checksum }
}
