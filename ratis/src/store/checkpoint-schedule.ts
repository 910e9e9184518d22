import type { Env, Task } from '@o3/common/env'
import { isStoreError, StoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import type { Checkpointer } from './checkpointer.ts'
import type { StoreEvent } from './store-events.ts'

export interface CheckpointPolicy {
  /**
   * After so much log on disk since the last one: small entries take a block of 4 KiB each. Default 32 MiB; sooner while
   * space is low, since only a checkpoint gives the log's back.
   */
  readonly everyLogBytes: number
  /** After so long, if anything was applied. Default 60,000. */
  readonly everyMs: number
  /** Newest log that stays behind a checkpoint, for followers of the change stream. Default 64 MiB. */
  readonly keepLogBytes: number
}

const lowLogBytes = 4 * 1024 * 1024

/** Decides when the store checkpoints by itself. */
export class CheckpointSchedule {
  private readonly env: Env
  private readonly policy: CheckpointPolicy
  private readonly checkpointer: Checkpointer
  private readonly observe: (event: StoreEvent) => void
  private readonly onFailure: (error: unknown) => void
  private readonly hasSpace: () => Promise<boolean>
  private readonly appliedIndex: () => LogIndex
  private readonly logBytes: () => number
  private readonly isLow: () => boolean
  /** What the log had when the last checkpoint had cut it. */
  private baseBytes: number
  private cancelTimer: (() => void) | undefined
  private task: Task | undefined
  private stopped = false

  constructor(
    env: Env,
    parts: {
      readonly policy: CheckpointPolicy
      readonly checkpointer: Checkpointer
      readonly observe: (event: StoreEvent) => void
      readonly onFailure: (error: unknown) => void
      /** Whether the key-value store has room for it: an engine that runs out in the middle is done for. */
      readonly hasSpace: () => Promise<boolean>
      readonly appliedIndex: () => LogIndex
      readonly logBytes: () => number
      /** Space is low: then the log is cut early. */
      readonly isLow: () => boolean
    },
  ) {
    this.env = env
    this.policy = parts.policy
    this.checkpointer = parts.checkpointer
    this.observe = parts.observe
    this.onFailure = parts.onFailure
    this.hasSpace = parts.hasSpace
    this.appliedIndex = parts.appliedIndex
    this.logBytes = parts.logBytes
    this.isLow = parts.isLow
    this.baseBytes = parts.logBytes()
  }

  /** An entry was applied. */
  applied(): void {
    if (this.stopped || this.task !== undefined) return
    const { everyLogBytes } = this.policy
    const grownBytes = this.logBytes() - this.baseBytes
    if (grownBytes >= everyLogBytes || (grownBytes >= lowLogBytes && this.isLow())) this.start()
    else this.startLater()
  }

  /** The log is another one, which a snapshot has made short. */
  logChanged(): void {
    this.baseBytes = this.logBytes()
  }

  /** Takes one now; what was applied before the call is covered. Rejects with `OutOfSpace` before it has begun. */
  async checkpoint(): Promise<void> {
    const index = this.appliedIndex()
    if (!(await this.hasSpace())) throw new StoreError('OutOfSpace', 'there is no room for a checkpoint')
    const startMs = this.env.clock.monotonicMs()
    await this.checkpointer.checkpoint(index)
    this.baseBytes = this.logBytes()
    this.observe({ kind: 'checkpoint', index, durationMs: this.env.clock.monotonicMs() - startMs })
  }

  /** Resolves when a checkpoint under way is done; none starts by itself any more. */
  async stop(): Promise<void> {
    this.stopped = true
    this.cancelTimer?.()
    await this.task?.done
  }

  private startLater(): void {
    this.cancelTimer ??= this.env.clock.after(this.policy.everyMs, () => this.start())
  }

  private start(): void {
    this.cancelTimer?.()
    this.cancelTimer = undefined
    if (this.stopped || this.task !== undefined) return
    this.task = this.env.tasks.spawn('store.checkpoint', async () => {
      try {
        await this.checkpoint()
      } catch (error) {
        if (isStoreError(error, 'OutOfSpace', 'Closed')) {
          this.observe({ kind: 'checkpoint-postponed', error: StoreError.from(error).toRecord() })
          if (!this.stopped) this.startLater()
        } else this.onFailure(error)
      } finally {
        this.task = undefined
      }
    })
  }
}
