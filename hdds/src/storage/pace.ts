import type { Clock } from '@o3/common/env'

/** Holds background work to a rate: whoever spends bytes waits until they are due. Idle time is not saved up. */
export class Pace {
  private readonly clock: Clock
  private readonly bytesPerSecond: () => number
  private dueMs: number

  constructor(clock: Clock, bytesPerSecond: () => number) {
    this.clock = clock
    this.bytesPerSecond = bytesPerSecond
    this.dueMs = clock.monotonicMs()
  }

  /** Rejects with the signal's reason when aborted. */
  async spend(bytes: number, signal?: AbortSignal): Promise<void> {
    const now = this.clock.monotonicMs()
    this.dueMs = Math.max(this.dueMs, now) + (bytes * 1000) / this.bytesPerSecond()
    const waitMs = this.dueMs - now
    // Short waits are left to add up: timers are no finer than this.
    if (waitMs >= 10) await this.clock.sleep(waitMs, signal)
    else signal?.throwIfAborted()
  }
}
