import { EventQueue, SimRandom, type SimEvent } from '@o3/common/env/sim'
import { CoreTrace } from './core-trace.ts'
import type { FaultKind } from './plan.ts'
import { SimViolation } from './violation.ts'

/** More than this in one seed is a circle. */
const maxEvents = 3_000_000

export interface Timer {
  readonly kind: string
  readonly who: string
  readonly afterMs: number
  readonly action: () => void
}

/** Virtual time and chance: one heap of events by (time, order of planning), one seed. Nothing here waits for promises. */
export class SimWorld {
  readonly random: SimRandom
  readonly trace: CoreTrace
  readonly faultCounts = new Map<FaultKind, number>()
  readonly #queue = new EventQueue()
  #nowMs = 0
  #sequence = 0
  #events = 0

  constructor(seed: number, recording: 'recorded' | 'hashed') {
    this.random = new SimRandom(`raft-core/${seed}`)
    this.trace = new CoreTrace(recording === 'recorded')
  }

  get nowMs(): number {
    return this.#nowMs
  }

  get events(): number {
    return this.#events
  }

  /** Returns what calls it off. */
  after({ kind, who, afterMs, action }: Timer): () => void {
    const event: SimEvent = {
      atMs: this.#nowMs + Math.max(0, afterMs),
      sequence: this.#sequence++,
      kind,
      name: who,
      action,
      state: 'due',
    }
    this.#queue.push(event)
    return () => this.#queue.cancel(event)
  }

  note(kind: string, who: string, facts: readonly [number, number], text?: () => string): void {
    this.trace.note(this.#nowMs, kind, who, facts, text)
  }

  /** A fault was done to the cluster. */
  fault(kind: FaultKind, who: string, text?: () => string): void {
    this.faultCounts.set(kind, (this.faultCounts.get(kind) ?? 0) + 1)
    this.note(`! ${kind}`, who, [0, 0], text)
  }

  /** Lets events happen up to `endMs`, or until `isOver`; says which. */
  runUntil(endMs: number, isOver: () => boolean = () => false): 'over' | 'time' {
    for (;;) {
      if (isOver()) return 'over'
      const event = this.#queue.peek()
      if (event === undefined || event.atMs > endMs) {
        this.#nowMs = endMs
        return 'time'
      }
      this.#queue.pop()
      this.#nowMs = event.atMs
      if (++this.#events > maxEvents) throw new SimViolation('bounded-work', `more than ${maxEvents} events`)
      event.action()
    }
  }
}
