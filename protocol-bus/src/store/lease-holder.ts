/**
 * Blocks ahead of need. OM leases blocks in batches; a PUT draws one without asking anybody. A lease that is nearly used
 * up, or nearly too old, is followed by the next before anybody has to wait. A lease is kept alive as long as a block
 * drawn from it is being written, however slow the client; when the last of them is committed or given up, a lease that
 * is used up is ended, and what of it was not committed becomes garbage. A block id is never drawn twice: a datanode may
 * have seen bytes of a failed write.
 *
 * Bounds: at most two leases are being drawn from or fetched; leases that are only held open are as many as there are
 * bodies under way. An idle store holds no lease for longer than its term.
 */

import type { Cancel, Clock, Tasks } from '@o3/common/env'
import { isStoreError, StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { BlockAccess } from '@o3/hdds/api'
import type { Lease, LeaseId, OmClient } from '@o3/om/api'
import type { BlockId, BlockRange, ContainerId } from '@o3/scm/api'
import type { ReplicationConfig } from '../api/api.ts'

/** A block to write. Give it back by `finish`, whatever became of it. */
export interface LeasedBlock {
  readonly block: BlockId
  readonly lease: LeaseId
  /** How the block is written. It lives: after a renewal of the lease it has the newer token. */
  readonly access: BlockAccess
  /** Committed or given up: the lease is no longer held open for it. Idempotent. */
  finish(): void
}

export interface LeaseHolderOptions {
  readonly om: Pick<OmClient, 'execute' | 'leaseBlocks'>
  readonly clock: Clock
  readonly tasks: Tasks
  readonly log: Logger
  /** Names this gateway in OM's lease rows. */
  readonly holder: string
  readonly replication: ReplicationConfig
  /** Blocks in one lease. */
  readonly batch: number
}

/** Long enough for SCM to hear of it and for OM's stock to age; short enough for a disk that has room again. */
const avoidMs = 30_000
/** Where there is nothing else, a container is tried again so soon: its datanode was only restarted, perhaps. */
const lastResortMs = 1_000
const maxAvoided = 1024
/** Leases in a row without a block that can be written. */
const maxFetches = 16
/** Of those, the first ones are searched for a container that is not avoided at all. */
const patientFetches = 8

interface Avoided {
  readonly sinceMs: number
  /** For want of space, and for no other reason. */
  readonly isFull: boolean
}

export class LeaseHolder {
  private readonly options: LeaseHolderOptions
  /** Not used up and not old, oldest first. */
  private readonly drawing: HeldLease[] = []
  /** All that OM was not told to end. */
  private readonly held = new Set<HeldLease>()
  /** Containers that did not take a block lately. */
  private readonly avoided = new Map<ContainerId, Avoided>()
  private fetching: Promise<void> | undefined
  private cancelTick: Cancel | undefined
  private closed = false

  constructor(options: LeaseHolderOptions) {
    this.options = options
  }

  /** Of the blocks that it draws. */
  get replication(): ReplicationConfig {
    return this.options.replication
  }

  /** Synchronous while the stock lasts. `OutOfSpace`, `Unavailable` when OM has none to give that can be written; `Closed`. */
  take(): LeasedBlock | Promise<LeasedBlock> {
    if (this.closed) throw new StoreError('Closed', 'the store is closed')
    const drawn = this.draw()
    if (this.remaining() < this.options.batch / 2) this.fetchAhead()
    return drawn ?? this.takeLater()
  }

  /**
   * Draws nothing from this container for a while: it is closed, or its disk is full or failed. OM's stock may bring more
   * of its blocks with the next leases; they are passed over too, unless there are no others.
   */
  avoid(container: ContainerId, because: unknown): void {
    this.avoided.delete(container)
    const isFull = isStoreError(because, 'OutOfSpace')
    this.avoided.set(container, { sinceMs: this.options.clock.monotonicMs(), isFull })
    // The oldest goes first: a map keeps the order in which things were put.
    const [oldest] = this.avoided.keys()
    if (this.avoided.size > maxAvoided && oldest !== undefined) this.avoided.delete(oldest)
  }

  /** It took a block: nothing is wrong with it any more. */
  welcome(container: ContainerId): void {
    this.avoided.delete(container)
  }

  /** Ends every lease that no body holds open. Nothing can be drawn any more. */
  async close(): Promise<void> {
    this.closed = true
    this.cancelTick?.()
    // Whoever waits for it has its own rejection.
    await this.fetching?.catch(() => undefined)
    this.drawing.length = 0
    await Promise.all([...this.held].filter((lease) => lease.users === 0).map((lease) => this.end(lease)))
  }

  private draw(isAvoided = this.isAvoided): LeasedBlock | undefined {
    for (let lease = this.drawing[0]; lease !== undefined; lease = this.drawing[0]) {
      const block = this.isFresh(lease) ? lease.next(isAvoided) : undefined
      if (block === undefined) {
        this.drawing.shift()
        this.release(lease)
        continue
      }
      lease.users++
      return new Drawn(block, lease, this.release)
    }
    return undefined
  }

  private async takeLater(): Promise<LeasedBlock> {
    for (let fetches = 0; fetches < maxFetches; fetches++) {
      await this.fetch()
      if (this.closed) throw new StoreError('Closed', 'the store is closed')
      // Others who waited may have drawn it empty.
      const drawn = this.draw(fetches < patientFetches ? this.isAvoided : this.hasJustRefused)
      if (drawn !== undefined) return drawn
    }
    throw this.noneTaken()
  }

  /** A caller is told to come again, unless all that is wrong is that there is no space: that may take a person. */
  private noneTaken(): StoreError {
    const refusing = [...this.avoided].filter(([container]) => this.hasJustRefused(container))
    if (refusing.length > 0 && refusing.every(([, { isFull }]) => isFull)) {
      return new StoreError('OutOfSpace', 'there are blocks only in containers without space')
    }
    return new StoreError('Unavailable', 'there are blocks only in containers that take none')
  }

  private readonly isAvoided = (container: ContainerId): boolean => this.hasRefusedWithin(avoidMs, container)

  private readonly hasJustRefused = (container: ContainerId): boolean => this.hasRefusedWithin(lastResortMs, container)

  private hasRefusedWithin(ms: number, container: ContainerId): boolean {
    const avoided = this.avoided.get(container)
    return avoided !== undefined && this.options.clock.monotonicMs() < avoided.sinceMs + ms
  }

  private remaining(): number {
    let sum = 0
    for (const lease of this.drawing) sum += lease.remaining
    return sum
  }

  private fetchAhead(): void {
    if (this.fetching !== undefined) return
    this.options.tasks.spawn('lease-blocks', async () => {
      try {
        await this.fetch()
      } catch (error) {
        // Nobody waits for this one. The next draw tries again, and tells whoever needs it.
        this.options.log.warn({ error }, 'could not lease blocks ahead of need')
      }
    })
  }

  private fetch(): Promise<void> {
    this.fetching ??= this.fetchNow().finally(() => {
      this.fetching = undefined
    })
    return this.fetching
  }

  private async fetchNow(): Promise<void> {
    const { om, clock, holder, batch, replication } = this.options
    const lease = await om.leaseBlocks({ holder, count: batch, replication })
    const held = new HeldLease(lease, clock.wallMs())
    this.held.add(held)
    this.drawing.push(held)
    this.schedule()
  }

  /** Looks after the leases a few times within their term. */
  private schedule(): void {
    if (this.cancelTick !== undefined || this.closed || this.held.size === 0) return
    const termMs = Math.min(...[...this.held].map((lease) => lease.termMs))
    this.cancelTick = this.options.clock.after(termMs / 4, () => {
      this.cancelTick = undefined
      for (const lease of this.held) this.lookAfter(lease)
      this.schedule()
    })
  }

  /**
   * In the first half of its term: no draw and no slow write can come near its end. Asked at each draw too, since timers
   * stand still while a machine sleeps and OM's clock does not.
   */
  private isFresh(lease: HeldLease): boolean {
    return this.options.clock.wallMs() < lease.expiresMs - lease.termMs / 2
  }

  private lookAfter(lease: HeldLease): void {
    if (this.isFresh(lease)) return
    const at = this.drawing.indexOf(lease)
    if (at !== -1) this.drawing.splice(at, 1)
    if (lease.users === 0) this.release(lease)
    else this.inBackground('renew-lease', () => this.renew(lease))
  }

  private async renew(lease: HeldLease): Promise<void> {
    const { om, log } = this.options
    try {
      const reply = await om.execute({ kind: 'renew-lease', lease: lease.id, durationMs: lease.termMs })
      if (reply.kind === 'lease') lease.renewed(reply.lease)
    } catch (error) {
      if (isStoreError(error, 'LeaseExpired')) this.held.delete(lease)
      log.warn({ lease: lease.id, error }, 'could not renew a lease')
    }
  }

  private readonly release = (lease: HeldLease): void => {
    if (lease.users > 0 || this.drawing.includes(lease) || !this.held.has(lease)) return
    this.inBackground('end-lease', () => this.end(lease))
  }

  private async end(lease: HeldLease): Promise<void> {
    this.held.delete(lease)
    try {
      await this.options.om.execute({ kind: 'end-lease', lease: lease.id })
    } catch (error) {
      // It ends by itself at its term.
      this.options.log.debug({ lease: lease.id, error }, 'could not end a lease')
    }
  }

  private inBackground(name: string, work: () => Promise<void>): void {
    this.options.tasks.spawn(name, work)
  }
}

const free: BlockAccess = {}

class HeldLease {
  readonly id: LeaseId
  readonly termMs: number
  expiresMs: number
  remaining: number
  /** Blocks drawn and not finished. */
  users = 0
  private readonly ranges: readonly BlockRange[]
  /** One for each range. */
  private tokens: readonly Uint8Array[]
  private range = 0
  private offset = 0

  constructor(lease: Lease, nowMs: number) {
    this.id = lease.id
    this.termMs = Math.max(1, lease.expiresMs - nowMs)
    this.expiresMs = lease.expiresMs
    this.ranges = lease.ranges
    this.tokens = lease.tokens ?? []
    this.remaining = lease.ranges.reduce((sum, { count }) => sum + count, 0)
  }

  renewed({ expiresMs, tokens = [] }: Lease): void {
    this.expiresMs = expiresMs
    if (tokens.length > 0) this.tokens = tokens
  }

  /** Of the block that was drawn last. */
  accessOfLast(): BlockAccess {
    const at = this.range
    const token = (): Uint8Array => this.tokens[at] as Uint8Array
    if (this.tokens[at] === undefined) return free
    return {
      get token() {
        return token()
      },
    }
  }

  next(isAvoided: (container: ContainerId) => boolean): BlockId | undefined {
    for (let range = this.ranges[this.range]; range !== undefined; range = this.ranges[this.range]) {
      if (this.offset < range.count && !isAvoided(range.container)) {
        this.remaining--
        return { container: range.container, local: range.firstLocal + this.offset++ }
      }
      this.remaining -= range.count - this.offset
      this.range++
      this.offset = 0
    }
    return undefined
  }
}

class Drawn implements LeasedBlock {
  readonly block: BlockId
  readonly access: BlockAccess
  private readonly held: HeldLease
  private readonly released: (lease: HeldLease) => void
  private finished = false

  constructor(block: BlockId, held: HeldLease, released: (lease: HeldLease) => void) {
    this.block = block
    this.access = held.accessOfLast()
    this.held = held
    this.released = released
  }

  get lease(): LeaseId {
    return this.held.id
  }

  finish(): void {
    if (this.finished) return
    this.finished = true
    if (--this.held.users === 0) this.released(this.held)
  }
}
