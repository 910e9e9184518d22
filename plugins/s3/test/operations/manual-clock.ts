import type { Cancel, Clock } from '@o3/common/env'

/** Time that passes when the test says so. */
export class ManualClock implements Clock {
  #nowMs: number
  #timers: { readonly dueMs: number; readonly action: () => void }[] = []

  constructor(startMs = Date.UTC(2026, 10, 22, 12, 0, 0, 700)) {
    this.#nowMs = startMs
  }

  wallMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, action: () => void): Cancel {
    const timer = { dueMs: this.#nowMs + delayMs, action }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.after(delayMs, resolve))
  }

  get pendingTimers(): number {
    return this.#timers.length
  }

  /** Lets time pass, and what was due in it happen in order. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    for (;;) {
      const next = this.#timers.filter(({ dueMs }) => dueMs <= endMs).toSorted((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#nowMs = next.dueMs
      next.action()
      await settled()
    }
    this.#nowMs = endMs
    await settled()
  }
}

/** Everything that was ready to run has run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
