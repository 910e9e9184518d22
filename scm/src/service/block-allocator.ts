/** Hands out block ids from open containers, in turn, and opens containers as they are needed. */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/log'
import type { ExecuteOptions, ReplicatedStore, Term } from '@o3/ratis/api'
import type { BlockRange, ContainerId, DatanodeId, ReplicationConfig } from '../api/api.ts'
import type { ScmConfig } from '../config.ts'
import type { ScmCommand, ScmReply } from '../core/command.ts'
import { nodes } from '../core/tables.ts'
import { readContainers } from './container-rows.ts'
import type { Leadership } from '@o3/ratis/leadership'
import type { NodeRegistry } from './node-registry.ts'

interface OpenContainer {
  readonly id: ContainerId
  readonly datanode: DatanodeId
}

/**
 * The open containers as the leader of one term knows them. While another member leads it may close any of them and open
 * others, so a pool is of no use after its term, also not to a member that leads again: it reads the rows anew.
 */
interface Pool {
  readonly term: Term
  open: OpenContainer[]
  turn: number
  /** Two callers that find too little open must not both fill the pool. */
  filling: Promise<void> | undefined
}

export interface BlockAllocatorParts {
  readonly store: ReplicatedStore<ScmCommand, ScmReply>
  readonly leadership: Leadership
  readonly registry: NodeRegistry
  readonly config: ScmConfig
  readonly log: Logger
}

/**
 * A pool only proposes: whether a container still takes blocks is decided by the plan, over committed rows. So a pool that
 * is behind costs another attempt, and never hands out blocks of a container that somebody has closed.
 */
export class BlockAllocator {
  private readonly store: ReplicatedStore<ScmCommand, ScmReply>
  private readonly leadership: Leadership
  private readonly registry: NodeRegistry
  private readonly config: ScmConfig
  private readonly log: Logger
  private pool: Pool | undefined
  private adopting: { readonly term: Term; readonly pool: Promise<Pool> } | undefined

  constructor(parts: BlockAllocatorParts) {
    this.store = parts.store
    this.leadership = parts.leadership
    this.registry = parts.registry
    this.config = parts.config
    this.log = parts.log
  }

  /** No more blocks from this one. */
  forget(container: ContainerId): void {
    const { pool } = this
    if (pool !== undefined) pool.open = pool.open.filter((each) => each.id !== container)
  }

  /**
   * `NotLeader`, `Unavailable`, `OutOfSpace`, `VolumeFailed`. Each attempt is a request of its own: what refused the first is
   * not the answer to the second. A repetition that reaches another leader may succeed with an earlier attempt than the
   * first time; the ids of the first are then spent and nobody's.
   */
  async allocate(count: number, replication: ReplicationConfig, options: ExecuteOptions = {}): Promise<BlockRange> {
    const { requestId, ...meantFor } = options
    for (let attempt = 0; ; attempt++) {
      const chosen = await this.choose(await this.poolOfTerm(options.term), replication)
      try {
        const reply = await this.store.execute(
          { kind: 'allocate-blocks', container: chosen.id, count },
          requestId === undefined ? meantFor : { ...meantFor, requestId: `${requestId}.${attempt}` },
        )
        if (reply.kind === 'blocks') return reply.range
        throw new StoreError('Internal', `allocate-blocks was answered with ${reply.kind}`)
      } catch (error) {
        // Closed between the choice and the plan. Each round drops one container, so this ends.
        if (!isStoreError(error, 'ConcurrentChange', 'ContainerNotFound')) throw error
        this.forget(chosen.id)
      }
    }
  }

  /** `NotLeader`. The first who asks in a term has the rows read; who comes meanwhile waits for the same. */
  private async poolOfTerm(named: Term | undefined): Promise<Pool> {
    const term = this.leadership.expectTerm(named)
    if (this.pool?.term === term) return this.pool
    if (this.adopting?.term !== term) {
      const pool = this.adopt(term).finally(() => {
        if (this.adopting?.pool === pool) this.adopting = undefined
      })
      this.adopting = { term, pool }
    }
    return this.adopting.pool
  }

  /**
   * The read is linearizable, so it has everything that earlier leaders committed, and what they did not will never be. A
   * container that is closed while it runs may come out as open; the plan refuses it.
   */
  private async adopt(term: Term): Promise<Pool> {
    const found = (await readContainers(this.store)).filter(({ row }) => row.state === 'OPEN')
    if (this.leadership.term !== term) throw termOver()
    const open = found.flatMap(({ id, row }) => row.datanodes.slice(0, 1).map((datanode) => ({ id, datanode })))
    this.pool = { term, open, turn: 0, filling: undefined }
    this.log.info({ term, containers: open.length }, 'took up the open containers')
    return this.pool
  }

  private async choose(pool: Pool, replication: ReplicationConfig): Promise<OpenContainer> {
    const usable = this.usable(pool)
    if (this.lacking(pool).length > 0) this.grow(pool, replication, usable.length > 0 ? 'unasked' : 'awaited')
    // A caller is served from what is open; the pool grows for the next, who will try again if it could not.
    if (usable.length > 0 || pool.filling === undefined) return this.next(pool, usable)
    await pool.filling
    return this.next(pool, this.usable(pool))
  }

  private next(pool: Pool, usable: readonly OpenContainer[]): OpenContainer {
    pool.turn = (pool.turn + 1) % Math.max(usable.length, 1)
    const chosen = usable[pool.turn]
    if (chosen === undefined) throw this.registry.whyNoWrites()
    return chosen
  }

  private usable(pool: Pool): OpenContainer[] {
    return pool.open.filter((each) => this.registry.isWritable(each.datanode))
  }

  /** Datanodes that could be written to and have too few open containers. */
  private lacking(pool: Pool): readonly DatanodeId[] {
    return this.registry.writable().filter((id) => openOn(pool, id) < this.config.openContainersPerNode)
  }

  private grow(pool: Pool, replication: ReplicationConfig, asked: 'awaited' | 'unasked'): void {
    if (pool.filling !== undefined) return
    pool.filling = this.fill(pool, replication).finally(() => {
      pool.filling = undefined
    })
    if (asked === 'awaited') return
    pool.filling.catch((error: unknown) => {
      // The end of the term is no failure: the next leader opens what it needs.
      if (isStoreError(error, 'NotLeader', 'OutcomeUnknown') && this.leadership.term !== pool.term) return
      this.log.warn({ error }, 'no further container could be opened')
    })
  }

  private async fill(pool: Pool, replication: ReplicationConfig): Promise<void> {
    for (const datanode of this.lacking(pool)) {
      // Known here from the time when another member led, and not heard since: it gets its row with its next heartbeat.
      const row = await this.store.get(nodes, datanode)
      if (row?.operational !== 'IN_SERVICE') continue
      while (openOn(pool, datanode) < this.config.openContainersPerNode) {
        // What is created in a later term would be in neither pool: this one is over, and that one has read its rows.
        if (this.leadership.term !== pool.term) throw termOver()
        pool.open.push({ id: await this.create(datanode, replication), datanode })
      }
    }
  }

  private async create(datanode: DatanodeId, replication: ReplicationConfig): Promise<ContainerId> {
    const reply = await this.store.execute({
      kind: 'create-container',
      replication,
      pipeline: undefined,
      datanodes: [datanode],
    })
    if (reply.kind === 'container') return reply.container
    throw new StoreError('Internal', `create-container was answered with ${reply.kind}`)
  }
}

function openOn(pool: Pool, datanode: DatanodeId): number {
  return pool.open.reduce((count, each) => (each.datanode === datanode ? count + 1 : count), 0)
}

function termOver(): StoreError {
  return new StoreError('NotLeader', 'this member does not lead in that term any more')
}
