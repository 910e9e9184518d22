/** What belongs to one term of leadership. */

import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/log'
import type { ReplicatedStore, Term } from '@o3/ratis/api'
import type { Leadership } from '@o3/ratis/leadership'
import type { DatanodeCommand, DatanodeId, SafemodeStatus } from '../api/api.ts'
import type { ScmConfig } from '../config.ts'
import type { ScmCommand, ScmReply } from '../core/command.ts'
import { safemodeOf } from '../core/safemode.ts'
import { BlockAllocator } from './block-allocator.ts'
import { Cluster } from './cluster.ts'
import { ContainerKeeper } from './container-keeper.ts'
import { DeletionQueue } from './deletion-queue.ts'
import type { NodeRegistry } from './node-registry.ts'
import { PipelineKeeper } from './pipeline-keeper.ts'
import { RecordedDeletions } from './recorded-deletions.ts'
import type { MakeWorker, TermParts, TermWorker } from './term-worker.ts'

export interface ReignParts {
  readonly store: ReplicatedStore<ScmCommand, ScmReply>
  readonly leadership: Leadership
  readonly registry: NodeRegistry
  readonly config: ScmConfig
  readonly clock: Clock
  readonly log: Logger
  /** Besides those that are always there, after them. */
  readonly workers: readonly MakeWorker[]
}

/** Begins with the rows of all leaders before, and ends with the term: nothing of it is of use to a later one. */
export class Reign {
  readonly term: Term
  readonly cluster: Cluster
  readonly allocator: BlockAllocator
  readonly deletions: DeletionQueue
  readonly workers: readonly TermWorker[]
  private readonly parts: ReignParts
  private isExited = false

  private constructor(parts: ReignParts, cluster: Cluster) {
    this.parts = parts
    this.term = cluster.term
    this.cluster = cluster
    const { store, config, clock, log, registry } = parts
    const shared: TermParts = { cluster, store, config, clock, log, safemode: () => this.safemode() }
    this.allocator = new BlockAllocator(shared)
    this.deletions = new DeletionQueue(shared)
    this.workers = [
      new PipelineKeeper(shared),
      new ContainerKeeper(shared, registry.reported()),
      this.deletions,
      new RecordedDeletions(shared),
      ...parts.workers.map((make) => make(shared)),
    ]
  }

  /** `NotLeader`, also when the term ends meanwhile. */
  static async begin(parts: ReignParts, term: Term): Promise<Reign> {
    const { store, registry, clock, leadership, log } = parts
    const cluster = await Cluster.load({ store, registry, clock, term })
    if (leadership.term !== term) throw new StoreError('NotLeader', 'this member does not lead in that term any more')
    cluster.listen()
    log.info({ term, containers: cluster.lastContainer }, 'took up the rows')
    return new Reign(parts, cluster)
  }

  safemode(): SafemodeStatus {
    const { registry, clock, config } = this.parts
    const listeningMs = clock.monotonicMs() - registry.startedMs
    return safemodeOf({ nodes: this.cluster.nodes.values(), listeningMs, isExited: this.isExited }, config)
  }

  exitSafemode(): void {
    this.isExited = true
  }

  /** All that has happened is acted upon; then, what this datanode is to do. */
  async round(datanode: DatanodeId): Promise<readonly DatanodeCommand[]> {
    this.cluster.refreshHealth()
    for (const worker of this.workers) await worker.round()
    const commands: DatanodeCommand[] = []
    for (const worker of this.workers) commands.push(...(await worker.commandsFor(datanode)))
    return commands
  }
}

/** The reign of the present term: the first who asks in a term has the rows read; who comes meanwhile waits for the same. */
export class Reigns {
  private readonly parts: ReignParts
  private present: Reign | undefined
  private beginning: { readonly term: Term; readonly reign: Promise<Reign> } | undefined

  constructor(parts: ReignParts) {
    this.parts = parts
  }

  /** `NotLeader`. `named`: the term that the caller means. */
  async of(named?: Term): Promise<Reign> {
    const term = this.parts.leadership.expectTerm(named)
    if (this.present?.term === term && !this.present.cluster.isSpent) return this.present
    if (this.beginning?.term !== term) {
      const reign = this.begin(term).finally(() => {
        if (this.beginning?.reign === reign) this.beginning = undefined
      })
      this.beginning = { term, reign }
    }
    return this.beginning.reign
  }

  private async begin(term: Term): Promise<Reign> {
    const reign = await Reign.begin(this.parts, term)
    this.present = reign
    return reign
  }
}
