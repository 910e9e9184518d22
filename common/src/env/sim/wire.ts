import type { Cancel } from '../env.ts'
import type { SimRandom } from './sim-random.ts'
import type { World } from './world.ts'

export interface Message {
  /** Names of nodes. */
  readonly from: string
  readonly to: string
  /** For the trace. */
  readonly name: string
  readonly deliver: () => void
}

export interface WireOptions {
  readonly minLatencyMs: number
  readonly maxLatencyMs: number
}

/** What carries messages between nodes: it takes time, and it can be blocked. Nothing on it is lost. */
export class Wire {
  readonly random: SimRandom
  readonly #world: World
  readonly #options: WireOptions
  readonly #blocks = new Map<string, number>()
  readonly #delays = new Map<string, number>()
  #held: Message[] = []

  constructor(world: World, options: WireOptions) {
    this.#world = world
    this.#options = options
    this.random = world.random.fork('network')
  }

  /** Returns when it arrives, if the way is free: not before `earliestMs`, so that a stream stays in order. */
  send(message: Message, earliestMs = 0): number {
    const { minLatencyMs, maxLatencyMs } = this.#options
    const slowMs = this.#delays.get(`${message.from} ${message.to}`) ?? 0
    const latencyMs = minLatencyMs + slowMs + (maxLatencyMs - minLatencyMs) * this.random.fraction()
    const arrivalMs = Math.max(this.#world.nowMs + latencyMs, earliestMs)
    this.#plan(message, arrivalMs - this.#world.nowMs)
    return arrivalMs
  }

  /** Everything from one node to another takes so much longer, until cancelled. */
  slow(from: string, to: string, byMs: number): Cancel {
    const way = `${from} ${to}`
    this.#delays.set(way, (this.#delays.get(way) ?? 0) + byMs)
    let isSlow = true
    return () => {
      if (isSlow) this.#delays.set(way, (this.#delays.get(way) ?? 0) - byMs)
      isSlow = false
    }
  }

  /**
   * Holds up everything from one node to another until cancelled; then it arrives at once, in order. `*` is everybody.
   */
  block(from: string, to: string): Cancel {
    const way = `${from} ${to}`
    this.#blocks.set(way, (this.#blocks.get(way) ?? 0) + 1)
    let isBlocked = true
    return () => {
      if (!isBlocked) return
      isBlocked = false
      this.#blocks.set(way, (this.#blocks.get(way) ?? 0) - 1)
      const held = this.#held
      this.#held = []
      for (const message of held) this.#plan(message, 0)
    }
  }

  #plan(message: Message, afterMs: number): void {
    const { from, to, name } = message
    this.#world.plan({ afterMs, kind: 'net', name: `${from} > ${to} ${name}`, action: () => this.#arrive(message) })
  }

  #arrive(message: Message): void {
    if (this.#isBlocked(message.from, message.to) || this.#isBlocked('*', message.to)) this.#held.push(message)
    else message.deliver()
  }

  #isBlocked(from: string, to: string): boolean {
    return (this.#blocks.get(`${from} ${to}`) ?? 0) > 0
  }
}
