/**
 * Carries out the entries of a pipeline's log in this replica's containers. Everything is idempotent, for a restart begins
 * again behind the last checkpoint; what is about a container that is closed or gone by now is passed over.
 */

import type { Clock } from '@o3/common/env'
import { StoreError, isStoreError, unreachable } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { BlockId, ContainerId } from '@o3/scm/api'
import { formatHash, hashOf, subtractHash } from '../core/content-hash.ts'
import type { ContentHash } from '../core/content-hash.ts'
import type { AgreeBlockEntry, CloseContainerEntry, PipelineEntry, WriteBlockEntry } from '../core/pipeline-entry.ts'
import type { Container } from '../storage/container.ts'
import { deleteBlocks } from '../storage/container-deletion.ts'
import type { BlockFetcher } from './block-fetcher.ts'
import type { PipelineRecord } from './pipeline-record.ts'
import { keyOf } from './pipeline-streams.ts'
import type { PipelineStreams } from './pipeline-streams.ts'

/** The containers of the datanode. */
export interface PipelineContainers {
  /** Of this id, when it is here. */
  find(id: ContainerId): Container | undefined
  /** Made, durably, when it is not here. `ContainerNotFound` when it was deleted, `OutOfSpace`, `VolumeFailed`. */
  obtain(id: ContainerId): Promise<Container>
}

export interface EntryApplierOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly containers: PipelineContainers
  readonly streams: PipelineStreams
  readonly fetcher: BlockFetcher
  /** The pipeline knows the container as its own, durably; undefined: it does already. */
  readonly adopt: (id: ContainerId) => Promise<void> | undefined
  /** What the member still has of what it acknowledged. */
  readonly kept: Pick<PipelineRecord, 'isWhole' | 'hasKeptLog'>
  /** It is sealed, durably. */
  readonly onSealed: (id: ContainerId) => void
  /** How long a full disk, or holders that do not answer, are left alone. */
  readonly retryMs: number
  /** So long a block that was agreed to while its stream is under way here waits for the stream. */
  readonly streamGraceMs: number
  /** So long a container that is closed waits for blocks that are not here; without them it is sealed `alone`. */
  readonly fetchPatienceMs: number
}

interface Work {
  /** False: it failed. Never rejects. */
  readonly done: Promise<boolean>
  /** It waits for other members. */
  readonly isFetch: boolean
}

/** How far the log is carried out in a container. */
export interface Settled {
  readonly isWritten: boolean
  /** And what had to be fetched from others is here. */
  readonly isFetched: boolean
}

/**
 * How a replica is sealed of which nobody can say that it has all that was acknowledged. It has all that its member acknowledged, and
 * is an origin, when neither the container nor the log lost anything, and the log is carried out. Blocks that are to be fetched
 * are those that others acknowledged; but where the log was lost, this one may have been one of those: then they must be here.
 */
export function sealAlone(
  kept: Pick<PipelineRecord, 'isWhole' | 'hasKeptLog'>,
  id: ContainerId,
  { isWritten, isFetched }: Settled,
): 'origin' | 'alone' {
  return kept.isWhole(id) && isWritten && (kept.hasKeptLog || isFetched) ? 'origin' : 'alone'
}

export class EntryApplier {
  private readonly options: EntryApplierOptions
  private readonly blocks = new Map<string, Promise<void>>()
  private readonly works = new Map<ContainerId, Set<Work>>()
  /** Their closing is under way: what the log says of them afterwards is void, on every member. */
  private readonly closing = new Map<ContainerId, Promise<void>>()
  private readonly fetching = new Map<ContainerId, AbortController>()
  private readonly stopping = new AbortController()

  constructor(options: EntryApplierOptions) {
    this.options = options
  }

  /**
   * Resolves when all of the entry is durable, or void. Rejects when this replica cannot carry it out: `VolumeFailed`; or
   * with the reason of `stop`.
   */
  apply(entry: PipelineEntry): Promise<void> {
    switch (entry.kind) {
      case 'write-block':
        return this.onBlock(entry, 'write', () => this.write(entry))
      case 'agree-block':
        return this.onBlock(entry, 'fetch', () => this.ensure(entry))
      case 'close-container':
        return this.onClose(entry)
      default:
        return unreachable(entry)
    }
  }

  /** When a block that is being applied is durable; undefined when none is. Never rejects. */
  whenApplied(block: BlockId): Promise<void> | undefined {
    return this.blocks.get(keyOf(block))
  }

  /** True: everything about the container that was applied by now is in it. False: it could not be fetched in time. */
  async settle(container: ContainerId): Promise<boolean> {
    return isComplete(await this.settleWorks([...(this.works.get(container) ?? [])]))
  }

  /**
   * The content hash without the blocks that were never agreed to, which are deleted when the container is closed: what every
   * replica should have then. Undefined when it is not known.
   */
  async agreedHash(id: ContainerId): Promise<string | undefined> {
    const container = this.options.containers.find(id)
    if (container === undefined || !this.options.kept.isWhole(id)) return undefined
    const others: ContentHash[] = []
    for (const local of this.options.streams.unagreedIn(id)) {
      const row = await container.find(container.current, local)
      if (row === undefined) continue
      const { lengthBytes, checksum } = row
      if (checksum === undefined) return undefined
      others.push(hashOf({ local, lengthBytes, checksum }))
    }
    const { contentHash } = container.ledger
    return contentHash === undefined ? undefined : formatHash(others.reduce(subtractHash, contentHash))
  }

  /** The log has closed it. */
  isClosing(container: ContainerId): boolean {
    return this.closing.has(container)
  }

  /** When a container that the log has closed is sealed; undefined when none is being sealed. Rejects as `apply`. */
  whenClosed(container: ContainerId): Promise<void> | undefined {
    return this.closing.get(container)
  }

  /** All that was asked for by now is durable, void or given up. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.blocks.values(), ...this.closing.values()])
  }

  /** Gives up what waits: for room, or for other members. */
  stop(reason: StoreError): void {
    this.stopping.abort(reason)
    for (const controller of this.fetching.values()) controller.abort(reason)
  }

  // ------------------------------------------------------------------------------------------------------ blocks

  private onBlock(
    { block }: WriteBlockEntry | AgreeBlockEntry,
    kind: 'write' | 'fetch',
    action: () => Promise<void>,
  ): Promise<void> {
    if (this.closing.has(block.container)) return Promise.resolve()
    const key = keyOf(block)
    const before = this.blocks.get(key)
    const done = before === undefined ? action() : before.then(action)
    const settled = done.then(nothing, nothing)
    this.blocks.set(key, settled)
    const work = { done: done.then(isDone, isNotDone), isFetch: kind === 'fetch' }
    const works = this.works.get(block.container) ?? new Set()
    this.works.set(block.container, works.add(work))
    return done.finally(() => {
      works.delete(work)
      if (works.size === 0 && this.works.get(block.container) === works) this.works.delete(block.container)
      if (this.blocks.get(key) === settled) this.blocks.delete(key)
    })
  }

  private write({ block, bytes }: WriteBlockEntry): Promise<void> {
    return this.persistently(block.container, async (container) => {
      await this.options.streams.under(block)?.abort()
      try {
        await container.writeBlock(block.local, [bytes])
      } catch (error) {
        if (!isStoreError(error, 'InvalidArgument')) throw error
        // A stream of this id was given up here, and perhaps not elsewhere: what the log says counts.
        await container.readmit(block.local)
        await container.writeBlock(block.local, [bytes])
      }
    })
  }

  private async ensure(entry: AgreeBlockEntry): Promise<void> {
    const { block } = entry
    const { streams, clock, streamGraceMs } = this.options
    const stream = streams.under(block)
    if (stream !== undefined) {
      await Promise.race([stream.ended, clock.sleep(streamGraceMs)])
      await stream.abort()
    }
    const signal = this.fetchSignal(block.container)
    try {
      await this.persistently(block.container, (container) => this.fetchUntilHere(entry, container, signal))
    } catch (error) {
      // The container is closed without it.
      if (error !== signal.reason || this.stopping.signal.aborted) throw error
    }
    streams.agreed(block)
  }

  private async fetchUntilHere(entry: AgreeBlockEntry, container: Container, signal: AbortSignal): Promise<void> {
    const { clock, fetcher, retryMs } = this.options
    while (!(await this.isHere(entry, container))) {
      if (await fetcher.fetch(entry, container, signal)) return
      await clock.sleep(retryMs, signal)
    }
  }

  private async isHere({ block, lengthBytes, checksum }: AgreeBlockEntry, container: Container): Promise<boolean> {
    const row = await container.find(container.current, block.local)
    if (row === undefined) return false
    if (row.lengthBytes !== lengthBytes || (row.checksum ?? checksum) !== checksum) {
      this.options.log.error({ ...block, lengthBytes, found: row.lengthBytes }, 'another block was agreed to')
    }
    return true
  }

  private fetchSignal(container: ContainerId): AbortSignal {
    const controller = this.fetching.get(container) ?? new AbortController()
    this.fetching.set(container, controller)
    if (this.stopping.signal.aborted) controller.abort(this.stopping.signal.reason)
    return controller.signal
  }

  // ------------------------------------------------------------------------------------------------------- close

  private onClose(entry: CloseContainerEntry): Promise<void> {
    const { container: id } = entry
    const under = this.closing.get(id)
    if (under !== undefined) return under
    const sealing = this.seal(entry, [...(this.works.get(id) ?? [])]).then(() => {
      this.closing.delete(id)
      this.fetching.delete(id)
    })
    this.closing.set(id, sealing)
    return sealing
  }

  /**
   * Replicas differ by blocks that could not be fetched, or that were streamed and never agreed to before a restart that
   * forgot it. One that differs from the leader's all the same is sealed as one that may lack something, and reconciled.
   */
  private async seal({ container: id, contentHash }: CloseContainerEntry, works: readonly Work[]): Promise<void> {
    const { streams, onSealed, log, kept } = this.options
    const settled = await this.settleWorks(works)
    const hasAll = isComplete(settled)
    if (!hasAll) this.fetching.get(id)?.abort(new StoreError('Aborted', 'the container is closed'))
    await Promise.all(works.map(({ done }) => done))
    this.stopping.signal.throwIfAborted()
    await streams.close(id)
    if (hasAll) await this.discardUnagreed(id)
    // Also where no block of it ever came: an empty replica is as good as that of the leader, and must be there to be told of.
    await this.persistently(id, async (container) => {
      // Where the leader itself lacks some, every member that lost nothing has all.
      const isSame = contentHash === undefined ? kept.isWhole(id) : container.report().contentHash === contentHash
      const how = hasAll && isSame ? 'agreed' : sealAlone(kept, id, settled)
      if (how !== 'agreed') log.warn({ container: id, hasAll, isSame }, 'a container is closed, and may lack blocks')
      await container.close({ how })
    })
    streams.forget(id)
    onSealed(id)
  }

  /**
   * Blocks that were streamed here and that nothing speaks of when their container is closed: their clients died, or were
   * refused by the leader. Not before the close is committed: until then another leader may still agree to them, and count
   * on this replica.
   */
  private async discardUnagreed(id: ContainerId): Promise<void> {
    const { streams, log } = this.options
    const locals = streams.unagreedIn(id)
    if (locals.length === 0) return
    log.info({ container: id, blocks: locals.length }, 'blocks that were never agreed to are deleted')
    const runs = locals.map((first) => ({ first, count: 1 }))
    await this.persistently(id, (container) => deleteBlocks(container, runs))
  }

  private async settleWorks(works: readonly Work[]): Promise<Settled> {
    const { clock, fetchPatienceMs } = this.options
    const writes = works.filter(({ isFetch }) => !isFetch).map(({ done }) => done)
    const fetches = works.filter(({ isFetch }) => isFetch).map(({ done }) => done)
    const isWritten = (await Promise.all(writes)).every(Boolean)
    if (fetches.length === 0) return { isWritten, isFetched: true }
    const patience = new AbortController()
    const isOver = clock.sleep(fetchPatienceMs, patience.signal).then(
      () => false,
      () => true,
    )
    const isFetched = await Promise.race([Promise.all(fetches).then((all) => all.every(Boolean)), isOver])
    patience.abort(new StoreError('Aborted', 'the blocks are here'))
    return { isWritten, isFetched }
  }

  // ---------------------------------------------------------------------------------------------------- failures

  /** Until it is done, or void. A full disk is waited for: what is committed cannot be refused. */
  private async persistently(id: ContainerId, action: (container: Container) => Promise<void>): Promise<void> {
    const { containers, adopt, clock, retryMs, log } = this.options
    for (;;) {
      try {
        const before = containers.find(id)
        if (before?.isSealed === true) return
        // First whose it is: a container that a crash leaves without an owner would be read as if its log had nothing for it.
        const adoption = adopt(id)
        if (adoption !== undefined) await adoption
        const container = before ?? (await containers.obtain(id))
        if (container.isSealed) return
        return await action(container)
      } catch (error) {
        // It was deleted: nobody's.
        if (isStoreError(error, 'ContainerNotFound')) return this.options.onSealed(id)
        if (this.isVoid(id, error)) return
        if (isStoreError(error, 'InvalidArgument', 'Damaged')) {
          // The same on every member: the first block of an id stands. Or rotten: the scrubber has noted it, and reads say so.
          return log.error({ container: id, error }, 'an entry of the log was not carried out')
        }
        if (!isStoreError(error, 'OutOfSpace')) throw error
        await clock.sleep(retryMs, this.stopping.signal)
      }
    }
  }

  private isVoid(id: ContainerId, error: unknown): boolean {
    return isStoreError(error, 'Unavailable') && this.options.containers.find(id)?.isOpen === false
  }
}

function isComplete({ isWritten, isFetched }: Settled): boolean {
  return isWritten && isFetched
}

function nothing(): void {}
const isDone = (): boolean => true
const isNotDone = (): boolean => false
