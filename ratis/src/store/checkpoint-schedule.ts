import type { Env, Task } from '@o3/common/env'
import { isStoreError, StoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import type { Checkpointer } from './checkpointer.ts'
import type { StoreEvent } from './store-events.ts'

export interface CheckpointPolicy {
  /** After so much log since the last one. Default 32 MiB. */
  readonly everyLogBytes: number
  /** After so long, if anything was applied. Default 60,000. */
  readonly everyMs: number
  /** Newest log that stays behind a checkpoint, for followers of the change stream. Default 64 MiB. */
  readonly keepLogBytes: number
}

/** Decides when the store checkpoints by itself. */
export class CheckpointSchedule {
  private readonly env: Env
  private readonly policy: CheckpointPolicy
  private readonly checkpointer: Checkpointer
  private readonly observe: (event: StoreEvent) => void
  private readonly onFailure: (error: unknown) => void
  private readonly hasSpace: () => Promise<boolean>
  private readonly appliedIndex: () => LogIndex
  private bytes = 0
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
    },
  ) {
    this.env = env
    this.policy = parts.policy
    this.checkpointer = parts.checkpointer
    this.observe = parts.observe
    this.onFailure = parts.onFailure
    this.hasSpace = parts.hasSpace
    this.appliedIndex = parts.appliedIndex
  }

  /** An entry was applied. */
  applied(bytes: number): void {
    this.bytes += bytes
    if (this.stopped || this.task !== undefined) return
    if (this.bytes >= this.policy.everyLogBytes) this.start()
    else this.startLater()
  }

  /** Takes one now; what was applied before the call is covered. Rejects with `OutOfSpace` before it has begun. */
  async checkpoint(): Promise<void> {
    const index = this.appliedIndex()
    if (!(await this.hasSpace())) throw new StoreError('OutOfSpace', 'there is no room for a checkpoint')
    const startMs = this.env.clock.monotonicMs()
    const bytes = this.bytes
    await this.checkpointer.checkpoint(index)
    this.bytes -= bytes
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
