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
  #held: Message[] = []

  constructor(world: World, options: WireOptions) {
    this.#world = world
    this.#options = options
    this.random = world.random.fork('network')
  }

  /** Returns when it arrives, if the way is free: not before `earliestMs`, so that a stream stays in order. */
  send(message: Message, earliestMs = 0): number {
    const { minLatencyMs, maxLatencyMs } = this.#options
    const latencyMs = minLatencyMs + (maxLatencyMs - minLatencyMs) * this.random.fraction()
    const arrivalMs = Math.max(this.#world.nowMs + latencyMs, earliestMs)
    this.#plan(message, arrivalMs - this.#world.nowMs)
    return arrivalMs
  }

  /** Holds up everything from one node to another until cancelled; then it arrives at once, in order. */
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
    if ((this.#blocks.get(`${message.from} ${message.to}`) ?? 0) > 0) this.#held.push(message)
    else message.deliver()
  }
}
