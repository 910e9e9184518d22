import { assert } from '../../errors.ts'
import type { Cancel, Clock } from '../env.ts'
import { HostTurns } from '../node/host-turns.ts'
import { EventQueue, type SimEvent } from './event-queue.ts'
import { SimClock } from './sim-clock.ts'
import { SimNetwork, type SimNetworkOptions } from './sim-network.ts'
import { SimNode, type SimNodeOptions } from './sim-node.ts'
import { SimRandom } from './sim-random.ts'
import { Trace } from './trace.ts'
import type { Plan, World } from './world.ts'

export interface SimulationOptions {
  /** All chance comes from it: the same seed and the same code give the same run. */
  readonly seed: string | number
  /** The wall clock at the start. Default 2026-01-01. */
  readonly startWallMs?: number
  /** A run that takes more events than this is stuck in a circle. Default 20 million. */
  readonly maxEvents?: number
  readonly network?: SimNetworkOptions
}

/**
 * A world in one thread and one seed. Everything that takes time is an event; events happen one at a time, by (time,
 * order of planning), and between two of them all promise reactions run. Those are deterministic once the events are,
 * so production code runs here as it is, as long as it touches the world through its `Env` only.
 */
export class Simulation implements World {
  readonly seed: string
  readonly random: SimRandom
  readonly network: SimNetwork
  /** For scripts: it belongs to no node and survives every crash. */
  readonly clock: Clock
  readonly startWallMs: number
  readonly #trace = new Trace()
  readonly #queue = new EventQueue()
  readonly #host = new HostTurns()
  readonly #maxEvents: number
  readonly #nodes = new Map<string, SimNode>()
  #nowMs = 0
  #sequence = 0
  #isRunning = false
  #failure: Error | undefined

  constructor(options: SimulationOptions) {
    this.seed = String(options.seed)
    this.random = new SimRandom(this.seed)
    this.startWallMs = options.startWallMs ?? Date.UTC(2026, 0, 1)
    this.#maxEvents = options.maxEvents ?? 20_000_000
    this.clock = new SimClock(this, (plan) => this.plan(plan))
    this.network = new SimNetwork(this, options.network)
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Equal for two runs that went the same way. */
  get traceHash(): string {
    return this.#trace.hash
  }

  /** The last events, oldest first. */
  get recentEvents(): readonly string[] {
    return this.#trace.recent()
  }

  /** The machine of this name, made at the first call. */
  node(name: string, options: SimNodeOptions = {}): SimNode {
    let node = this.#nodes.get(name)
    if (node === undefined) {
      node = new SimNode({ world: this, network: this.network, name, options })
      this.#nodes.set(name, node)
    }
    return node
  }

  plan({ afterMs, kind, name, action }: Plan): Cancel {
    assert(afterMs >= 0, 'a plan is for the future')
    const event: SimEvent = {
      atMs: this.#nowMs + afterMs,
      sequence: this.#sequence++,
      kind,
      name,
      action,
      state: 'due',
    }
    this.#queue.push(event)
    return () => this.#queue.cancel(event)
  }

  note(kind: string, name: string): void {
    this.#trace.add(this.#nowMs, kind, name)
  }

  /** Makes the run fail: for checkers, and for what must not happen. The first failure counts. */
  fail(reason: string, cause?: unknown): void {
    this.#failure ??= this.#error(reason, cause)
  }

  /**
   * Lets events happen until `main` is done, and settles as it does. Rejects when a background task or a checker failed,
   * and when `main` waits and nothing is left to happen.
   */
  async run<T>(main: () => Promise<T>): Promise<T> {
    let outcome:
      | { readonly isDone: true; readonly value: T }
      | { readonly isDone: false; readonly error: unknown }
      | undefined
    void main().then(
      (value) => {
        outcome = { isDone: true, value }
      },
      (error: unknown) => {
        outcome = { isDone: false, error }
      },
    )
    await this.#turnUntil(() => outcome !== undefined)
    if (outcome === undefined)
      throw this.#error('nothing is left to happen, and the main function still waits (for something outside?)')
    if (outcome.isDone) return outcome.value
    throw outcome.error
  }

  /** Lets everything happen that is due within the next `durationMs`. */
  async runFor(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs
    await this.#turnUntil(() => (this.#queue.peek()?.atMs ?? Infinity) > endMs)
    this.#nowMs = endMs
  }

  async #turnUntil(isOver: () => boolean): Promise<void> {
    assert(!this.#isRunning, 'one run at a time')
    this.#isRunning = true
    try {
      for (;;) {
        await this.#host.next()
        if (this.#failure !== undefined) throw this.#failure
        if (isOver()) return
        const event = this.#queue.pop()
        if (event === undefined) return
        this.#nowMs = event.atMs
        this.#trace.add(event.atMs, event.kind, event.name)
        if (this.#trace.count > this.#maxEvents) throw this.#error(`more than ${this.#maxEvents} events`)
        event.action()
      }
    } finally {
      this.#isRunning = false
    }
  }

  #error(reason: string, cause?: unknown): Error {
    const text = `simulation with seed ${this.seed}, at ${this.#nowMs} ms: ${reason}`
    const recent = this.#trace.recent().slice(-10).join('\n  ')
    return new Error(`${text}\nlast events:\n  ${recent}`, { cause })
  }
}
