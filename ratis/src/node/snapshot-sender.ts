import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { LogIndex, Term } from '../api/api.ts'
import type { NodeId } from '../core/entry.ts'
import type { Raft } from '../core/raft.ts'
import type { ChunkRead } from '../core/ready.ts'
import { crc32c } from '../log/checksum.ts'
import type { SnapshotSource, StateMachine } from './consensus.ts'

export interface SnapshotSenderOptions {
  readonly env: Pick<Env, 'tasks' | 'clock' | 'random'>
  readonly id: NodeId
  readonly machine: Pick<StateMachine, 'openSnapshot'>
  readonly core: Pick<Raft, 'chunkRead' | 'chunkFailed'>
  readonly logger: Logger
  /** The core was told something. */
  readonly onTold: () => void
}

interface Outgoing {
  readonly snapshot: string
  readonly source: SnapshotSource
  usedMs: number
  /** The core may give up on a piece that is still being read. */
  reading: Promise<unknown>
}

/** Of one piece, about: several fit into the time of a heartbeat. */
const chunkBytes = 512 * 1024
/** A follower that asked for nothing in so long has all of it, or begins anew. */
const idleMs = 10_000

/** Reads snapshots for followers, one open source each. */
export class SnapshotSender {
  private readonly options: SnapshotSenderOptions
  private readonly outgoing = new Map<NodeId, Outgoing>()
  private isStopped = false
  private opened = 0

  constructor(options: SnapshotSenderOptions) {
    this.options = options
  }

  /** How many are open. */
  get count(): number {
    return this.outgoing.size
  }

  read(read: ChunkRead): void {
    this.options.env.tasks.spawn('raft.snapshot', async () => {
      const { core, logger, onTold } = this.options
      try {
        const chunk = await this.chunk(read)
        if (this.isStopped) return
        if (chunk === undefined) core.chunkFailed(read.to)
        else core.chunkRead(read.to, chunk)
      } catch (error) {
        if (!isStoreError(error)) throw error
        logger.warn({ error, to: read.to }, 'a snapshot could not be read')
        await this.leave(read.to)
        if (this.isStopped) return
        core.chunkFailed(read.to)
      }
      onTold()
    })
  }

  /** Closes what nobody reads any more. */
  async sweep(): Promise<void> {
    const nowMs = this.options.env.clock.monotonicMs()
    for (const [to, { usedMs }] of this.outgoing) if (nowMs - usedMs >= idleMs) await this.leave(to)
  }

  async stop(): Promise<void> {
    this.isStopped = true
    for (const to of this.outgoing.keys()) await this.leave(to)
  }

  /** Undefined: that snapshot is no longer open. */
  private async chunk(read: ChunkRead): Promise<Parameters<Raft['chunkRead']>[1] | undefined> {
    const outgoing = read.snapshot === undefined ? await this.open(read.to) : this.outgoing.get(read.to)
    if (outgoing === undefined || (read.snapshot ?? outgoing.snapshot) !== outgoing.snapshot) return undefined
    const { snapshot, source } = outgoing
    outgoing.usedMs = this.options.env.clock.monotonicMs()
    const reading = source.read(read.position, chunkBytes)
    outgoing.reading = reading
    const { bytes, next } = await reading
    const place: { readonly index: LogIndex; readonly term: Term } = { index: source.index, term: source.term }
    return { snapshot, place, position: read.position, next, bytes, checksum: crc32c(bytes) }
  }

  private async open(to: NodeId): Promise<Outgoing> {
    await this.leave(to)
    const { env, id, machine } = this.options
    const source = await machine.openSnapshot()
    // Unique among all that a follower may ever have heard of: half of one must never be continued with another.
    const salt = Buffer.from(env.random.bytes(6)).toString('hex')
    const snapshot = `${id}-${source.index}-${++this.opened}-${salt}`
    const usedMs = env.clock.monotonicMs()
    const outgoing: Outgoing = { snapshot, source, usedMs, reading: Promise.resolve() }
    if (this.isStopped) await source.close()
    else this.outgoing.set(to, outgoing)
    return outgoing
  }

  private async leave(to: NodeId): Promise<void> {
    const outgoing = this.outgoing.get(to)
    if (outgoing === undefined) return
    this.outgoing.delete(to)
    await Promise.allSettled([outgoing.reading])
    await outgoing.source.close()
  }
}
