import { StoreError } from '@o3/common/errors'
import type { LocalId } from '@o3/scm/api'
import type { BlockInfo, ReplicaSource, ReplicaSummary } from '../api/api.ts'
import { emptyHash, withBlock } from '../core/content-hash.ts'
import type { ContentHash } from '../core/content-hash.ts'
import { planWindow } from '../core/copy-plan.ts'
import type { BlockConflict, ListedBlock, Listing, WantedBlock } from '../core/copy-plan.ts'
import { CopyQueue } from '../core/copy-queue.ts'
import { ListingPages } from '../core/listing-window.ts'
import { untilAborted } from '../service/until-aborted.ts'
import { BlockFetch, TargetFailure } from './block-fetch.ts'
import { listPage } from './local-replica.ts'
import { isSoundHere, provesItself, sameVersion } from './prove-block.ts'
import { isAuthority } from './sync-options.ts'
import type { Participant, SyncOptions } from './sync-options.ts'

const pageBlocks = 4096
const queueLimits = { maxBytes: 8 * 1024 * 1024, maxBlocks: 256 }

/** What came of a pass. */
export interface Pass {
  readonly changed: boolean
  readonly byAuthority: boolean
  /** Of the sources that did not fail. */
  readonly from: readonly ReplicaSummary[]
  readonly refused: number
  readonly unavailable: readonly LocalId[]
  /** Of the blocks that were here. */
  readonly hash: ContentHash | undefined
}

/** One pass over all local ids: what the sources have and this replica lacks is fetched. */
export class PassWalk {
  /** Here, and not wanted. */
  readonly extra: LocalId[] = []
  private readonly options: SyncOptions
  private readonly participants: readonly Participant[]
  private readonly noteFailure: (source: ReplicaSource) => void
  private readonly hashes = new Map<number, ContentHash | undefined>()
  private readonly failed = new Set<number>()
  private readonly unavailable: LocalId[] = []
  private ownHash: ContentHash | undefined = emptyHash
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
    const sound = this.participants.filter(({ index }) => !this.failed.has(index))
    const { taken, refused, unavailable } = this
    return {
      changed: taken > 0,
      byAuthority: sound.some(isAuthority),
      from: sound.map(({ summary }) => summary),
      refused,
      unavailable,
      hash: this.ownHash,
    }
  }

  private async window(own: readonly ListedBlock[], listings: readonly Listing[]): Promise<void> {
    for (const { source, blocks } of listings) {
      let sum = this.hashes.get(source)
      for (const block of blocks) sum = withBlock(sum, block)
      this.hashes.set(source, sum)
    }
    for (const block of own) this.ownHash = withBlock(this.ownHash, block)
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
