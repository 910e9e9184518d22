import type { Clock } from '@o3/common/env'
import type { DatanodeId, EcShard } from '@o3/scm/api'
import { LRUCache } from 'lru-cache'

const maxSuspects = 1024

/**
 * Datanodes that were slow or away a moment ago: a reader asks others first, so that a dead datanode costs one wait and not one
 * for each piece. When the time is up they are tried again. Damage is no reason: it is of one place, not of a datanode.
 */
export class Suspects {
  private readonly clock: Clock
  private readonly forMs: number
  private readonly untilMs = new LRUCache<DatanodeId, number>({ max: maxSuspects })

  constructor(clock: Clock, forMs: number) {
    this.clock = clock
    this.forMs = forMs
  }

  note({ replicas }: EcShard): void {
    for (const { datanode } of replicas) this.untilMs.set(datanode, this.clock.monotonicMs() + this.forMs)
  }

  /** Also a shard that is nowhere. */
  isPoor({ replicas }: EcShard): boolean {
    const now = this.clock.monotonicMs()
    return replicas.every(({ datanode }) => (this.untilMs.get(datanode) ?? 0) > now)
  }
}
