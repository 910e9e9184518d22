import type { Env } from '@o3/common/env'
import { isStoreError, StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { LogIndex, Term } from '../api/api.ts'
import type { SnapshotChunk } from '../core/message.ts'
import type { Raft } from '../core/raft.ts'
import { crc32c } from '../log/checksum.ts'
import type { SnapshotReceiver, StateMachine } from './consensus.ts'

export interface SnapshotInboxOptions {
  readonly env: Pick<Env, 'tasks'>
  readonly machine: Pick<StateMachine, 'openReceiver'>
  readonly core: Pick<Raft, 'chunkStored' | 'snapshotStored' | 'chunkRefused'>
  readonly logger: Logger
  /** The core was told something. */
  readonly onTold: () => void
}

interface Incoming {
  readonly snapshot: string
  readonly receiver: SnapshotReceiver
  /** Undefined: all of it is stored. */
  wanted: string | undefined
}

/** Takes the pieces of a snapshot, one after the other, and keeps it until it is put in place. */
export class SnapshotInbox {
  private readonly options: SnapshotInboxOptions
  private incoming: Incoming | undefined
  private tail: Promise<void> = Promise.resolve()
  private isStopped = false

  constructor(options: SnapshotInboxOptions) {
    this.options = options
  }

  take(chunk: SnapshotChunk): void {
    const { tail } = this
    const task = this.options.env.tasks.spawn('raft.receive', async () => {
      await tail
      if (!this.isStopped) await this.store(chunk)
    })
    this.tail = task.done
  }

  /** Puts the snapshot that was received whole in the place of the state and, through `resetLog`, of the log. */
  async install(
    place: { readonly index: LogIndex; readonly term: Term },
    resetLog: () => Promise<void>,
  ): Promise<void> {
    if (this.incoming === undefined) throw new StoreError('Internal', 'there is no snapshot to install')
    await this.incoming.receiver.install(place, resetLog)
    this.incoming = undefined
  }

  /** What was received stays where it is: the transfer may be resumed. */
  async stop(): Promise<void> {
    this.isStopped = true
    await this.tail
  }

  private async store(chunk: SnapshotChunk): Promise<void> {
    const { core, logger, onTold } = this.options
    try {
      const wanted = await this.stored(chunk)
      if (this.isStopped) return
      if (wanted !== undefined) core.chunkStored(chunk, wanted)
      else if (!core.snapshotStored(chunk)) await this.forget()
    } catch (error) {
      if (!isStoreError(error)) throw error
      logger.warn({ error, snapshot: chunk.snapshot }, 'a piece of a snapshot was refused')
      await this.forget()
      if (this.isStopped) return
      core.chunkRefused(chunk)
    }
    onTold()
  }

  /** Where the next piece is wanted; undefined when all is stored. */
  private async stored(chunk: SnapshotChunk): Promise<string | undefined> {
    if (crc32c(chunk.bytes) !== chunk.checksum) throw new StoreError('Damaged', 'a piece of a snapshot has changed')
    const incoming = await this.receiving(chunk.snapshot)
    if (chunk.position === incoming.wanted) {
      await incoming.receiver.store(chunk.position, chunk.next, chunk.bytes)
      incoming.wanted = chunk.next
    }
    return incoming.wanted
  }

  private async receiving(snapshot: string): Promise<Incoming> {
    if (this.incoming?.snapshot === snapshot) return this.incoming
    await this.forget()
    const receiver = await this.options.machine.openReceiver(snapshot)
    this.incoming = { snapshot, receiver, wanted: receiver.wanted }
    return this.incoming
  }

  private async forget(): Promise<void> {
    const { incoming } = this
    this.incoming = undefined
    try {
      await incoming?.receiver.discard()
    } catch (error) {
      if (!isStoreError(error)) throw error
      this.options.logger.warn({ error }, 'what was received of a snapshot could not be removed')
    }
  }
}
