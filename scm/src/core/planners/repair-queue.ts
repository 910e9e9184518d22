/** In which order containers are repaired. */

import type { ContainerId } from '../../api/api.ts'
import type { GroupAssessment } from './erasure-plan.ts'
import type { ContainerHealth } from '../../api/api.ts'
import type { Assessment } from './replication-health.ts'

export interface RepairRank {
  /** Lower goes first. */
  readonly urgency: number
  /** Since when it waits; of equally urgent ones the oldest goes first. */
  readonly sinceMs: number
}

/** What only wants tidying comes behind whatever may be lost. */
const tidying: Readonly<Partial<Record<ContainerHealth, number>>> = {
  UNHEALTHY: 100,
  OVER_REPLICATED: 101,
  MIS_REPLICATED: 102,
}

/**
 * Last copies first, then by what can still be lost. Of containers with the same redundancy those come first whose replicas are
 * gone, then those whose replicas are on a datanode that leaves, for it waits for them.
 */
export function urgencyOf(found: Assessment | GroupAssessment): number {
  const late = tidying[found.health]
  if (late !== undefined) return late
  const departing = 'shards' in found ? found.shards.some(isDeparting) : found.good.departing.length > 0
  return Math.min(40, Math.max(0, found.redundancy)) * 2 + (departing ? 1 : 0)
}

function isDeparting(shard: GroupAssessment['shards'][number]): boolean {
  return shard.worth === 'departing'
}

interface Entry extends RepairRank {
  readonly container: ContainerId
  readonly readyMs: number
}

/**
 * Containers that wait for repair, each once. Fed by events; a change of rank replaces the entry. Two heaps: those that are ready
 * by rank, those that back off by time. Entries that were replaced stay in the heaps until they come up, and are then
 * dropped; when they outnumber the others, the heaps are made anew, so memory is bounded by the number of containers.
 */
export class RepairQueue {
  private readonly entries = new Map<ContainerId, Entry>()
  private ready: Heap<Entry> = new Heap(byRank)
  private waiting: Heap<Entry> = new Heap(byTime)

  get size(): number {
    return this.entries.size
  }

  has(container: ContainerId): boolean {
    return this.entries.has(container)
  }

  /** Not handed out before `readyMs`. One that is in the queue keeps its age. */
  offer(container: ContainerId, rank: RepairRank, readyMs = -Infinity): void {
    const sinceMs = Math.min(rank.sinceMs, this.entries.get(container)?.sinceMs ?? Infinity)
    const entry = { container, urgency: rank.urgency, sinceMs, readyMs }
    this.entries.set(container, entry)
    this.waiting.push(entry)
    if (this.waiting.size + this.ready.size > 2 * this.entries.size + 64) this.rebuild()
  }

  withdraw(container: ContainerId): void {
    this.entries.delete(container)
  }

  /** The most urgent one that is ready, taken out; undefined when none is. */
  take(nowMs: number): ContainerId | undefined {
    for (let next = this.waiting.peek(); next !== undefined && next.readyMs <= nowMs; next = this.waiting.peek()) {
      this.waiting.pop()
      if (this.entries.get(next.container) === next) this.ready.push(next)
    }
    for (let next = this.ready.pop(); next !== undefined; next = this.ready.pop()) {
      if (this.entries.get(next.container) !== next) continue
      this.entries.delete(next.container)
      return next.container
    }
    return undefined
  }

  private rebuild(): void {
    this.ready = new Heap(byRank)
    this.waiting = new Heap(byTime)
    for (const entry of this.entries.values()) this.waiting.push(entry)
  }
}

function byRank(a: Entry, b: Entry): number {
  return a.urgency - b.urgency || a.sinceMs - b.sinceMs || a.container - b.container
}

function byTime(a: Entry, b: Entry): number {
  // Two infinities have no difference.
  if (a.readyMs === b.readyMs) return 0
  return a.readyMs < b.readyMs ? -1 : 1
}

/** A binary heap: the least first. */
class Heap<T> {
  private readonly items: T[] = []
  private readonly compare: (a: T, b: T) => number

  constructor(compare: (a: T, b: T) => number) {
    this.compare = compare
  }

  get size(): number {
    return this.items.length
  }

  peek(): T | undefined {
    return this.items[0]
  }

  push(item: T): void {
    const { items } = this
    items.push(item)
    let child = items.length - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (!this.swapIfLess(child, parent)) return
      child = parent
    }
  }

  pop(): T | undefined {
    const { items } = this
    const least = items[0]
    const last = items.pop()
    if (least === undefined || last === undefined || items.length === 0) return least
    items[0] = last
    for (let parent = 0; ;) {
      const left = 2 * parent + 1
      if (left >= items.length) return least
      const right = left + 1
      const lesser = right < items.length && this.isLess(right, left) ? right : left
      if (!this.swapIfLess(lesser, parent)) return least
      parent = lesser
    }
  }

  private isLess(a: number, b: number): boolean {
    return this.compare(this.items[a] as T, this.items[b] as T) < 0
  }

  private swapIfLess(a: number, b: number): boolean {
    if (!this.isLess(a, b)) return false
    const kept = this.items[a] as T
    this.items[a] = this.items[b] as T
    this.items[b] = kept
    return true
  }
}

/** The wait before attempt `failures` + 1: doubles, up to a bound. */
export function backoffMs(failures: number, limits: { readonly firstMs: number; readonly mostMs: number }): number {
  return Math.min(limits.mostMs, limits.firstMs * 2 ** Math.min(30, Math.max(0, failures - 1)))
}
