/** Hands out block ids from open containers, in turn, and opens containers as they are needed. */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { ExecuteOptions } from '@o3/ratis/api'
import type { BlockRange, ContainerId, ReplicationConfig } from '../api/api.ts'
import { lackingContainers, usableContainers, whyNoPlace } from '../core/allocation.ts'
import type { NewContainer, UsableContainers } from '../core/allocation.ts'
import type { ContainerRow } from '../core/tables.ts'
import type { TermParts } from './term-worker.ts'

/** Of one replication. */
interface Pool {
  turn: number
  /** Two callers that find too little open must not both fill the pool. */
  filling: Promise<void> | undefined
}

/**
 * For the leader of one term. What is open is known from the rows; it only proposes: whether a container still takes blocks is
 * decided by the plan, over committed rows. So what is behind costs another attempt, and no blocks of a container that
 * somebody has closed are ever handed out.
 */
export class BlockAllocator {
  private readonly parts: TermParts
  private readonly pools = new Map<ReplicationConfig, Pool>()
  /** About to be closed, or found to take no more: the rows will say so soon. */
  private readonly shut = new Set<ContainerId>()

  constructor(parts: TermParts) {
    this.parts = parts
    parts.cluster.subscribe((event) => {
      if (event.kind === 'container' && parts.cluster.container(event.container)?.row.state !== 'OPEN') {
        this.shut.delete(event.container)
      }
    })
  }

  /** No more blocks from this one. */
  forget(container: ContainerId): void {
    this.shut.add(container)
  }

  /**
   * `NotLeader`, `Unavailable` (also in safemode), `OutOfSpace`, `VolumeFailed`. Each attempt is a request of its own: what
   * refused the first is not the answer to the second. A repetition that reaches another leader may succeed with an earlier
   * attempt than the first time; the ids of the first are then spent and nobody's.
   */
  async allocate(count: number, replication: ReplicationConfig, options: ExecuteOptions = {}): Promise<BlockRange> {
    this.parts.cluster.refreshHealth()
    const { on, reasons } = this.parts.safemode()
    if (on) {
      const message = `no blocks are handed out in safemode: ${reasons.join('; ')}`
      throw new StoreError('Unavailable', message, { details: { safemode: 'on' } })
    }
    const { requestId } = options
    for (let attempt = 0; ; attempt++) {
      const chosen = await this.choose(replication)
      try {
        const reply = await this.parts.cluster.execute(
          { kind: 'allocate-blocks', container: chosen, count },
          requestId === undefined ? {} : { requestId: `${requestId}.${attempt}` },
        )
        if (reply.kind === 'blocks') return reply.range
        throw new StoreError('Internal', `allocate-blocks was answered with ${reply.kind}`)
      } catch (error) {
        // Closed between the choice and the plan. Each round drops one container, so this ends.
        if (!isStoreError(error, 'ConcurrentChange', 'ContainerNotFound')) throw error
        this.forget(chosen)
      }
    }
  }

  private async choose(replication: ReplicationConfig): Promise<ContainerId> {
    const pool = this.poolOf(replication)
    const { ids, areWhole } = this.usable(replication)
    if (this.lacking(replication).length > 0) this.grow(pool, replication, ids.length > 0 ? 'unasked' : 'awaited')
    // A caller is served from what is open; the pool grows for the next, who will try again if it could not.
    if (areWhole || pool.filling === undefined) return this.next(pool, replication, ids)
    // What has lost a member is better than nothing, but not than what is about to be opened. A failure to is logged.
    await (ids.length > 0 ? pool.filling.catch(() => undefined) : pool.filling)
    return this.next(pool, replication, this.usable(replication).ids)
  }

  private next(pool: Pool, replication: ReplicationConfig, usable: readonly ContainerId[]): ContainerId {
    pool.turn = (pool.turn + 1) % Math.max(usable.length, 1)
    const chosen = usable[pool.turn]
    if (chosen === undefined) throw whyNoPlace(replication, this.parts.cluster)
    return chosen
  }

  private usable(replication: ReplicationConfig): UsableContainers {
    return usableContainers(this.open(replication), this.parts.cluster)
  }

  private lacking(replication: ReplicationConfig): readonly NewContainer[] {
    const { cluster, config } = this.parts
    return lackingContainers(replication, this.open(replication), cluster, config)
  }

  private open(replication: ReplicationConfig): ReadonlyMap<ContainerId, ContainerRow> {
    const open = this.parts.cluster.openContainers(replication)
    if (this.shut.size === 0) return open
    return new Map([...open].filter(([id]) => !this.shut.has(id)))
  }

  private grow(pool: Pool, replication: ReplicationConfig, asked: 'awaited' | 'unasked'): void {
    if (pool.filling !== undefined) return
    pool.filling = this.fill(replication).finally(() => {
      pool.filling = undefined
    })
    if (asked === 'awaited') return
    pool.filling.catch((error: unknown) => {
      // The end of the term is no failure: the next leader opens what it needs.
      if (isStoreError(error, 'NotLeader', 'OutcomeUnknown')) return
      this.parts.log.warn({ error, replication }, 'no further container could be opened')
    })
  }

  /** What is created when the term is over is in no pool: the next leader reads the rows and finds it. */
  private async fill(replication: ReplicationConfig): Promise<void> {
    for (;;) {
      const [place] = this.lacking(replication)
      if (place === undefined) return
      try {
        await this.parts.cluster.execute({ kind: 'create-container', replication, ...place })
      } catch (error) {
        // Its pipeline was closed meanwhile, or its datanode was taken out of service; the view is about to say so.
        if (!isStoreError(error, 'ConcurrentChange', 'Unavailable')) throw error
        return
      }
    }
  }

  private poolOf(replication: ReplicationConfig): Pool {
    const found = this.pools.get(replication)
    if (found !== undefined) return found
    const pool: Pool = { turn: 0, filling: undefined }
    this.pools.set(replication, pool)
    return pool
  }
}
