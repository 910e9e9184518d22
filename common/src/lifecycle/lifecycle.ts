/**
 * Starts the parts of a process in the order in which they are named, and stops them in the reverse order. This is
 * ours and not the container's: a container disposes everything at once, in construction order, so that a database
 * begins to close before its users.
 */

import type { Clock } from '../env/env.ts'
import { StoreError } from '../errors.ts'
import type { Logger } from '../log/logger.ts'
import { withinDeadline } from './deadline.ts'

export { withinDeadline } from './deadline.ts'

/** One part. A `start` that rejects has cleaned up after itself: its `stop` is not called. */
export interface LifecycleStep {
  start(): Promise<void> | void
  stop(): Promise<void> | void
}

export interface StopFailure {
  readonly name: string
  readonly error: unknown
}

export interface LifecycleOptions {
  readonly clock: Clock
  readonly log: Logger
  /** For each step, when a failed start unwinds and when `stop` names no other. */
  readonly stopDeadlineMs?: number
}

interface Started {
  readonly name: string
  readonly stop: () => Promise<void> | void
}

export class Lifecycle {
  private readonly clock: Clock
  private readonly log: Logger
  private readonly stopDeadlineMs: number
  private readonly started: Started[] = []
  private starting: Promise<void> = Promise.resolve()
  private stopped: Promise<readonly StopFailure[]> | undefined

  constructor(options: LifecycleOptions) {
    this.clock = options.clock
    this.log = options.log
    this.stopDeadlineMs = options.stopDeadlineMs ?? 10_000
  }

  /**
   * Starts one part, after those named before have started. When it fails, everything that had started is stopped,
   * last first, and the original error is thrown. After `stop`, or after a failed start, it rejects with `Closed`.
   */
  start(name: string, step: LifecycleStep): Promise<void> {
    const begun = this.starting.then(() => this.startNow(name, step))
    // The chain only gives the order; the failure belongs to the caller of this step.
    this.starting = begun.then(ignore, ignore)
    return begun
  }

  /**
   * Stops everything, last in first out, each step within `deadlineMs`. A step that fails or overruns is logged and
   * reported, and does not keep the others from stopping. Never rejects. Later calls get the answer of the first.
   */
  stop(deadlineMs: number = this.stopDeadlineMs): Promise<readonly StopFailure[]> {
    this.stopped ??= this.unwind(deadlineMs)
    return this.stopped
  }

  private async startNow(name: string, step: LifecycleStep): Promise<void> {
    if (this.stopped !== undefined) throw new StoreError('Closed', `${name} cannot start: the process is stopping`)
    const since = this.clock.monotonicMs()
    this.log.debug({ step: name }, 'starting')
    try {
      await step.start()
    } catch (error) {
      this.log.error({ step: name, error }, 'start failed; stopping what had started')
      await this.stop()
      throw error
    }
    this.log.info({ step: name, tookMs: this.clock.monotonicMs() - since }, 'started')
    this.started.push({ name, stop: () => step.stop() })
    // `stop` came while this step was starting, and passed it by.
    if (this.stopped !== undefined) {
      await this.unwind(this.stopDeadlineMs)
      throw new StoreError('Closed', `${name} was stopped while it started`)
    }
  }

  private async unwind(deadlineMs: number): Promise<readonly StopFailure[]> {
    const failures: StopFailure[] = []
    for (let step = this.started.pop(); step !== undefined; step = this.started.pop()) {
      const error = await this.stopStep(step, deadlineMs)
      if (error !== undefined) failures.push({ name: step.name, error })
    }
    return failures
  }

  private async stopStep(step: Started, deadlineMs: number): Promise<unknown> {
    const since = this.clock.monotonicMs()
    this.log.debug({ step: step.name }, 'stopping')
    try {
      await withinDeadline(this.clock, deadlineMs, `stopping ${step.name}`, invoke(step.stop))
      this.log.info({ step: step.name, tookMs: this.clock.monotonicMs() - since }, 'stopped')
      return undefined
    } catch (error) {
      this.log.error({ step: step.name, error }, 'stop failed')
      return error
    }
  }
}

async function invoke(action: () => Promise<void> | void): Promise<void> {
  await action()
}

function ignore(): void {}
