import type { Cancel, Clock } from '../env.ts'
import type { Plan, World } from './world.ts'

/** Virtual time. */
export class SimClock implements Clock {
  readonly #time: Pick<World, 'nowMs' | 'startWallMs'>
  readonly #plan: (plan: Plan) => Cancel
  /** How far this wall clock is off; may be changed at any time, also backwards. */
  wallOffsetMs = 0
  #rate = 1
  /** Where this clock stood when its rate was set last. */
  #anchor = { nowMs: 0, ownMs: 0 }
  /** Take the sleepers' ears off the signals that wake them. */
  readonly #deafen = new Set<() => void>()

  constructor(time: Pick<World, 'nowMs' | 'startWallMs'>, plan: (plan: Plan) => Cancel) {
    this.#time = time
    this.#plan = plan
  }

  /** How fast it goes: 1.01 is too fast by a hundredth. Timers that run already keep their time. */
  get rate(): number {
    return this.#rate
  }

  set rate(rate: number) {
    this.#anchor = { nowMs: this.#time.nowMs, ownMs: this.monotonicMs() }
    this.#rate = rate
  }

  wallMs(): number {
    return this.#time.startWallMs + Math.floor(this.monotonicMs()) + this.wallOffsetMs
  }

  monotonicMs(): number {
    if (this.#rate === 1 && this.#anchor.nowMs === this.#anchor.ownMs) return this.#time.nowMs
    return this.#anchor.ownMs + (this.#time.nowMs - this.#anchor.nowMs) * this.#rate
  }

  after(delayMs: number, action: () => void): Cancel {
    return this.#plan({ afterMs: Math.max(0, delayMs) / this.#rate, kind: 'timer', name: '', action })
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason)
        return
      }
      const deafen = (): void => {
        signal?.removeEventListener('abort', abort)
        this.#deafen.delete(deafen)
      }
      const abort = (): void => {
        cancel()
        deafen()
        reject(signal?.reason)
      }
      const cancel = this.after(delayMs, () => {
        deafen()
        resolve()
      })
      if (signal === undefined) return
      signal.addEventListener('abort', abort)
      this.#deafen.add(deafen)
    })
  }

  /** Nobody wakes any more. Node keeps a combined signal for ever while somebody listens, and with it the whole machine. */
  stop(): void {
    for (const deafen of this.#deafen) deafen()
  }
}
