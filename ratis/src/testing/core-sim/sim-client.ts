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
  /** Counts attempts: an answer to an earlier one comes too late. */
  #attempt = 0
  isStopped = false

  constructor(parts: SimClientParts) {
    this.#parts = parts
    this.#name = `client${parts.number}`
  }

  start(): void {
    this.#think()
  }

  /** Does one write, then one read, now; `done` is called when both are answered. */
  finish(done: () => void): void {
    this.isStopped = true
    this.#attempt++
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
    const payload = encodeRequest(
      { client, number, key: random.below(workload.keys) },
      1 + random.below(workload.payloadBytes),
    )
    const attempt = this.#begin(() => this.#write(number, done))
    this.#target().propose(payload, (fate) => {
      if (attempt !== this.#attempt) return
      if (fate.kind === 'unknown') return
      counts.writes++
      cluster.checkers.acknowledged({ client, number, index: fate.index })
      cluster.world.note('acked', this.#name, [number, fate.index], () => `${number} at ${fate.index}`)
      this.#end(done)
    })
  }

  #read(done: () => void): void {
    const { cluster, random, counts } = this.#parts
    const id = this.#parts.nextReadId()
    const attempt = this.#begin(() => this.#read(done))
    cluster.checkers.readBegan(id)
    const target = random.chance(0.5) ? this.#target() : this.#anybody()
    target.read(id, (fate) => {
      if (attempt !== this.#attempt || fate.kind === 'refused') return
      counts.reads++
      cluster.checkers.readServed({ id, ...fate })
      cluster.world.note('read', this.#name, [id, fate.readIndex], () => `${id} at ${fate.readIndex} by ${target.id}`)
      this.#end(done)
    })
  }

  /** Without an answer in time, it is tried again elsewhere. */
  #begin(again: () => void): number {
    const attempt = ++this.#attempt
    const timeoutMs = this.#parts.cluster.plan.raft.electionTimeoutMs * (0.5 + 1.5 * this.#parts.random.fraction())
    this.#after('client-timeout', timeoutMs, () => {
      if (attempt !== this.#attempt) return
      this.#believed = undefined
      again()
    })
    return attempt
  }

  #end(done: () => void): void {
    this.#attempt++
    done()
  }

  /** Whom it thinks to lead: itself it saw that, or a member said so. */
  #target(): SimMember {
    const { cluster, random } = this.#parts
    const believed = this.#believed === undefined ? undefined : cluster.members.get(this.#believed)
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
