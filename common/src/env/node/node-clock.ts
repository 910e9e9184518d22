import type { Cancel, Clock } from '../env.ts'

/** Above this, `setTimeout` fires at once. */
const longestTimeoutMs = 2 ** 31 - 1

/** The machine's clocks. */
export class NodeClock implements Clock {
  wallMs(): number {
    return Date.now()
  }

  monotonicMs(): number {
    return performance.now()
  }

  after(delayMs: number, action: () => void): Cancel {
    const dueMs = performance.now() + delayMs
    let timer = setTimeout(fire, timeoutFor(delayMs))
    // Node's timers count from the start of the loop's turn, in whole milliseconds, so one may fire early.
    function fire(): void {
      const remainingMs = dueMs - performance.now()
      if (remainingMs > 0) timer = setTimeout(fire, timeoutFor(remainingMs))
      else action()
    }
    return () => clearTimeout(timer)
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const abort = (): void => {
        cancel()
        reject(signal?.reason)
      }
      const cancel = this.after(delayMs, () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      })
      signal?.addEventListener('abort', abort, { once: true })
    })
  }
}

function timeoutFor(delayMs: number): number {
  return Math.min(Math.ceil(delayMs), longestTimeoutMs)
}
