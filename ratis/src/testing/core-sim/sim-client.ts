import type { SimRandom } from '@o3/common/env/sim'
import type { NodeId } from '../../core/entry.ts'
import { encodeRequest } from './kv-machine.ts'
import type { SimCluster } from './sim-cluster.ts'
import type { SimMember } from './sim-member.ts'

export interface ClientCounts {
  writes: number
  reads: number
}

export interface SimClientParts {
  readonly number: number
  readonly cluster: SimCluster
  readonly random: SimRandom
  readonly counts: ClientCounts
  readonly nextReadId: () => number
}

/** One operation at a time, tried with whoever may lead until it is answered: a write with the same number each time. */
export class SimClient {
  readonly #parts: SimClientParts
  readonly #name: string
  #requests = 0
  #believed: NodeId | undefined
  /** Which operation is under way: an answer to an earlier one is nobody's. */
  #operation = 0
  #isBusy = false
  isStopped = false

  constructor(parts: SimClientParts) {
    this.#parts = parts
    this.#name = `client${parts.number}`
  }

  start(): void {
    this.#think()
  }

  /** Does one write, unless it has one under way. */
  writeOnce(): void {
    if (this.#isBusy) return
    this.#isBusy = true
    this.#write(++this.#requests, () => {
      this.#isBusy = false
    })
  }

  /** Does one write, then one read, now; `done` is called when both are answered. */
  finish(done: () => void): void {
    this.isStopped = true
    this.#write(++this.#requests, () => this.#read(done))
  }

  #think(): void {
    if (this.isStopped) return
    const { cluster, random } = this.#parts
    const { workload } = cluster.plan
    const afterMs = 2 * workload.thinkMs * random.fraction()
    this.#after('think', afterMs, () => {
      if (this.isStopped) return
      if (random.chance(workload.readShare)) this.#read(() => this.#think())
      else this.#write(++this.#requests, () => this.#think())
    })
  }

  #write(number: number, done: () => void): void {
    const { cluster, random, number: client, counts } = this.#parts
    const { workload } = cluster.plan
    const request = { client, number, key: random.below(workload.keys) }
    const payload = encodeRequest(request, 1 + random.below(workload.payloadBytes))
    this.#untilAnswered((answered) => {
      this.#target().propose(payload, (fate) => {
        if (fate.kind === 'unknown' || !answered()) return
        counts.writes++
        cluster.checkers.acknowledged({ client, number, index: fate.index })
        cluster.world.note('acked', this.#name, [number, fate.index], () => `${number} at ${fate.index}`)
        done()
      })
    })
  }

  #read(done: () => void): void {
    const { cluster, random, counts } = this.#parts
    this.#untilAnswered((answered) => {
      const id = this.#parts.nextReadId()
      cluster.checkers.readBegan(id)
      const target = random.chance(0.5) ? this.#target() : this.#anybody()
      target.read((fate) => {
        if (fate.kind === 'refused' || !answered()) return
        counts.reads++
        cluster.checkers.readServed({ id, ...fate })
        cluster.world.note('read', this.#name, [id, fate.readIndex], () => `${id} at ${fate.readIndex} by ${target.id}`)
        done()
      })
    })
  }

  /**
   * Tries again after a while, elsewhere perhaps, until one of the attempts is answered: a late answer is as good. `answered`
   * is true for the first.
   */
  #untilAnswered(attempt: (answered: () => boolean) => void): void {
    const operation = ++this.#operation
    const isOpen = (): boolean => operation === this.#operation
    const answered = (): boolean => {
      if (!isOpen()) return false
      this.#operation++
      return true
    }
    const { electionTimeoutMs } = this.#parts.cluster.plan.raft
    const begin = (): void => {
      const afterMs = electionTimeoutMs * (0.5 + 1.5 * this.#parts.random.fraction())
      this.#after('client-timeout', afterMs, () => {
        if (!isOpen()) return
        this.#believed = undefined
        begin()
      })
      attempt(answered)
    }
    begin()
  }

  /** Whom it thinks to lead: somebody said so; now and then it looks anew. */
  #target(): SimMember {
    const { cluster, random } = this.#parts
    const isLoyal = this.#believed !== undefined && random.chance(0.7)
    const believed = isLoyal ? cluster.members.get(this.#believed ?? '') : undefined
    const asked = believed ?? (random.chance(0.7) ? cluster.leader : undefined) ?? this.#anybody()
    const hint = asked.view?.core.leader
    this.#believed = hint
    return (hint === undefined ? undefined : cluster.members.get(hint)) ?? asked
  }

  #anybody(): SimMember {
    const { cluster, random } = this.#parts
    const { all } = cluster
    const chosen = all[random.below(all.length)]
    if (chosen === undefined) throw new Error('a cluster has members')
    return chosen
  }

  #after(kind: string, afterMs: number, action: () => void): void {
    this.#parts.cluster.world.after({ kind, who: this.#name, afterMs, action })
  }
}
