/** Hands out block ids from open containers, in turn, and opens containers as they are needed. */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/log'
import type { ReplicatedStore } from '@o3/ratis/api'
import type { BlockRange, ContainerId, DatanodeId, ReplicationConfig, RequestOptions } from '../api/api.ts'
import type { ScmCommand, ScmReply } from '../core/command.ts'
import type { NodeRegistry } from './node-registry.ts'
import type { ScmConfig } from '../config.ts'

interface OpenContainer {
  readonly id: ContainerId
  readonly datanode: DatanodeId
}

export interface BlockAllocatorParts {
  readonly store: ReplicatedStore<ScmCommand, ScmReply>
  readonly registry: NodeRegistry
  readonly config: ScmConfig
  readonly log: Logger
}

export class BlockAllocator {
  private readonly store: ReplicatedStore<ScmCommand, ScmReply>
  private readonly registry: NodeRegistry
  private readonly config: ScmConfig
  private readonly log: Logger
  private open: OpenContainer[] = []
  private turn = 0
  /** Two callers that find nothing open must not both fill the pool. */
  private filling: Promise<void> | undefined

  constructor(parts: BlockAllocatorParts) {
    this.store = parts.store
    this.registry = parts.registry
    this.config = parts.config
    this.log = parts.log
  }

  /** Containers that were open before a restart. */
  adopt(containers: readonly OpenContainer[]): void {
    this.open = [...containers]
  }

  /** No more blocks from this one. */
  forget(container: ContainerId): void {
    this.open = this.open.filter((each) => each.id !== container)
  }

  /** Each attempt is a request of its own: what refused the first is not the answer to the second. */
  async allocate(count: number, replication: ReplicationConfig, options: RequestOptions = {}): Promise<BlockRange> {
    const { requestId } = options
    for (let attempt = 0; ; attempt++) {
      const chosen = await this.choose(replication)
      try {
        const reply = await this.store.execute(
          { kind: 'allocate-blocks', container: chosen.id, count },
          requestId === undefined ? {} : { requestId: `${requestId}.${attempt}` },
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

  private async choose(replication: ReplicationConfig): Promise<OpenContainer> {
    const usable = this.usable()
    if (usable.length < this.config.openContainersPerNode) {
      this.filling ??= this.fill(replication).finally(() => {
        this.filling = undefined
      })
      if (usable.length === 0) {
        await this.filling
        return this.next(this.usable())
      }
      // This caller is served from what is open; the pool grows for the next, who will try again if it could not.
      this.filling.catch((error: unknown) => this.log.warn({ error }, 'no further container could be opened'))
    }
    return this.next(usable)
  }

  private next(usable: readonly OpenContainer[]): OpenContainer {
    this.turn = (this.turn + 1) % Math.max(usable.length, 1)
    const chosen = usable[this.turn]
    if (chosen === undefined) throw this.registry.whyNoWrites()
    return chosen
  }

  private usable(): OpenContainer[] {
    return this.open.filter((each) => this.registry.isWritable(each.datanode))
  }

  private async fill(replication: ReplicationConfig): Promise<void> {
    const nodes = this.registry.writable()
    if (nodes.length === 0) throw this.registry.whyNoWrites()
    for (const datanode of nodes) {
      const has = this.open.filter((each) => each.datanode === datanode).length
      for (let n = has; n < this.config.openContainersPerNode; n++) {
        const reply = await this.store.execute({
          kind: 'create-container',
          replication,
          pipeline: `one-${datanode}`,
          datanodes: [datanode],
        })
        if (reply.kind !== 'container')
          throw new StoreError('Internal', `create-container was answered with ${reply.kind}`)
        this.open.push({ id: reply.container, datanode })
      }
    }
  }
}
