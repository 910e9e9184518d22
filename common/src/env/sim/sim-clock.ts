import type { Cancel, Clock } from '../env.ts'
import type { Plan, World } from './world.ts'

/** Virtual time. */
export class SimClock implements Clock {
  readonly #time: Pick<World, 'nowMs' | 'startWallMs'>
  readonly #plan: (plan: Plan) => Cancel
  /** How far this wall clock is off; may be changed at any time, also backwards. */
  wallOffsetMs = 0

  constructor(time: Pick<World, 'nowMs' | 'startWallMs'>, plan: (plan: Plan) => Cancel) {
    this.#time = time
    this.#plan = plan
  }

  wallMs(): number {
    return this.#time.startWallMs + Math.floor(this.#time.nowMs) + this.wallOffsetMs
  }

  monotonicMs(): number {
    return this.#time.nowMs
  }

  after(delayMs: number, action: () => void): Cancel {
    return this.#plan({ afterMs: Math.max(0, delayMs), kind: 'timer', name: '', action })
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
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
