import type { Random } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { DatanodeCommand, DatanodeId, NodeDepartureProgress } from '../../api/api.ts'
import type { ScmCommand, ScmReply } from '../../core/command.ts'
import { readOmission } from '../recorded-deletions.ts'
import type { MakeWorker, TermParts, TermWorker } from '../term-worker.ts'
import type { ReplicationConfig } from './replication-config.ts'
import { ReplicationManager } from './replication-manager.ts'

export interface ReplicationWorkerOptions {
  readonly config: ReplicationConfig
  readonly random: Pick<Random, 'fraction'>
}

/** The replication manager among those who work for the leader of a term. */
export class ReplicationWorker implements TermWorker {
  readonly manager: ReplicationManager
  private readonly parts: TermParts

  constructor(parts: TermParts, { config, random }: ReplicationWorkerOptions) {
    this.parts = parts
    const { cluster, clock, log, store } = parts
    this.manager = new ReplicationManager({
      clock,
      random,
      log,
      config,
      term: cluster.term,
      view: () => cluster,
      execute: (command) => this.execute(command),
      omission: (container, bounds) => readOmission(store, container, bounds),
    })
    cluster.subscribe((event) => this.manager.notice(event))
  }

  get replication(): ReplicationManager {
    return this.manager
  }

  /** Nothing is copied, moved or given up before enough datanodes have said what they have. */
  async round(): Promise<void> {
    if (this.parts.safemode().repairs) await this.manager.round()
  }

  commandsFor(datanode: DatanodeId): readonly DatanodeCommand[] {
    return this.manager.commandsFor(datanode)
  }

  departureOf(datanode: DatanodeId): NodeDepartureProgress | undefined {
    return this.manager.progressOf(datanode)
  }

  whyNotLeave(datanode: DatanodeId, to: 'DECOMMISSIONED' | 'IN_MAINTENANCE'): string | undefined {
    return this.manager.whyNotLeave(datanode, to)
  }

  /** A refusal says that the row is another than the one that was planned with. */
  private async execute(command: ScmCommand): Promise<ScmReply> {
    const { cluster } = this.parts
    try {
      return await cluster.execute(command)
    } catch (error) {
      if (isStoreError(error, 'ConcurrentChange') && 'container' in command) {
        await cluster.refreshContainer(command.container)
      }
      throw error
    }
  }
}

/** For `ScmServiceOptions.workers`. */
export function replicationWorker(options: ReplicationWorkerOptions): MakeWorker {
  return (parts) => new ReplicationWorker(parts, options)
}
