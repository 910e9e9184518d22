import type { SimRandom } from '@o3/common/env/sim'
import type { NodeId } from '../../core/entry.ts'
import type { Message } from '../../core/message.ts'
import { messageText } from './message-text.ts'
import type { SimPlan } from './plan.ts'
import type { SimWorld } from './sim-world.ts'

export interface NetworkParts {
  readonly world: SimWorld
  readonly random: SimRandom
  readonly plan: SimPlan['network']
  readonly deliver: (message: Message) => void
}

const pathOf = (from: NodeId, to: NodeId): string => `${from}>${to}`

/** How long a replayed message lies about, at most, in milliseconds. */
const replayMs = 8_000

/** Carries messages: late, twice, in any order or not at all, and not over paths that are closed. */
export class MessageNetwork {
  readonly #parts: NetworkParts
  /** Why a path is closed: it opens when all its reasons are gone. */
  readonly #closed = new Map<string, number>()
  readonly #slow = new Map<string, number>()
  /** Of a path that keeps the order: when its last message arrives. */
  readonly #lastArrivalMs = new Map<string, number>()
  isCalm = false

  constructor(parts: NetworkParts) {
    this.#parts = parts
  }

  isOpen(from: NodeId, to: NodeId): boolean {
    return (this.#closed.get(pathOf(from, to)) ?? 0) === 0
  }

  /** Closes one direction; the returned function takes this closing back, once. */
  close(from: NodeId, to: NodeId): () => void {
    return count(this.#closed, pathOf(from, to))
  }

  /** Ten times the delay. */
  slowDown(from: NodeId, to: NodeId): () => void {
    return count(this.#slow, pathOf(from, to))
  }

  /** Answers whether the path is open; what is lost on the way nobody learns. */
  send(message: Message): boolean {
    const { world, random, plan } = this.#parts
    if (!this.isOpen(message.from, message.to)) return false
    if (!this.isCalm) {
      if (random.chance(plan.loss)) {
        world.fault('loss', message.to, () => messageText(message))
        return true
      }
      if (random.chance(plan.duplicate)) {
        world.fault('duplicate', message.to, () => messageText(message))
        this.#carry(message, this.#delayMs(message))
      }
      if (random.chance(plan.replay)) {
        world.fault('replay', message.to, () => messageText(message))
        this.#carry(message, random.below(replayMs))
      }
    }
    this.#carry(message, this.#inOrder(message, this.#delayMs(message)))
    return true
  }

  #delayMs({ from, to }: Message): number {
    const { random, plan } = this.#parts
    const [low, high] = plan.delayMs
    const slowness = (this.#slow.get(pathOf(from, to)) ?? 0) > 0 ? 10 : 1
    return (low + (high - low) * random.fraction()) * slowness
  }

  #inOrder({ from, to }: Message, delayMs: number): number {
    const { world, plan } = this.#parts
    const path = pathOf(from, to)
    const atMs = world.nowMs + delayMs
    const lastMs = this.#lastArrivalMs.get(path) ?? 0
    if (atMs >= lastMs) this.#lastArrivalMs.set(path, atMs)
    else if (plan.order === 'kept' || this.isCalm) return lastMs - world.nowMs
    else world.fault('reorder', to)
    return delayMs
  }

  #carry(message: Message, afterMs: number): void {
    const { world, deliver } = this.#parts
    world.after({ kind: 'deliver', who: message.to, afterMs, action: () => deliver(message) })
  }
}

function count(counts: Map<string, number>, key: string): () => void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
  let isTaken = true
  return () => {
    if (isTaken) counts.set(key, (counts.get(key) ?? 0) - 1)
    isTaken = false
  }
}
