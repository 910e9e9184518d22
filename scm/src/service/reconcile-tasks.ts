import type { ContainerId, DatanodeCommand, DatanodeId, ReplicaLocation } from '../api/api.ts'
import type { ReconcileDue } from '../core/life/plan.ts'
import type { Cluster } from './cluster.ts'

interface Attempt {
  readonly number: number
  readonly startedMs: number
}

export interface ReconcileLimits {
  /** One that was not heard of for so long, or that failed, is tried again under another name, after so long. */
  readonly retryTaskMs: number
}

/**
 * Names for reconciliations: one that is under way keeps its name, so that its datanode does it once; one that came to
 * nothing is begun again under another.
 */
export class ReconcileTasks {
  private readonly cluster: Cluster
  private readonly limits: ReconcileLimits
  private readonly attempts = new Map<string, Attempt>()

  constructor(cluster: Cluster, limits: ReconcileLimits) {
    this.cluster = cluster
    this.limits = limits
  }

  commandOf(datanode: DatanodeId, due: ReconcileDue): DatanodeCommand {
    const { kind, container, sources } = due
    const key = keyOf(datanode, container)
    let attempt = this.attempts.get(key)
    if (attempt === undefined || this.isOver(datanode, due, attempt)) {
      attempt = { number: (attempt?.number ?? 0) + 1, startedMs: this.cluster.nowMs }
      this.attempts.set(key, attempt)
    }
    const task = this.nameOf(due, attempt)
    return { kind: `${kind}-container`, task, container, sources: sources.map((source) => this.placeOf(source)) }
  }

  /** It is not due any more. */
  forget(datanode: DatanodeId, container: ContainerId): void {
    this.attempts.delete(keyOf(datanode, container))
  }

  private isOver(datanode: DatanodeId, due: ReconcileDue, attempt: Attempt): boolean {
    const report = this.cluster.nodes.get(datanode)?.live?.tasks.get(this.nameOf(due, attempt))
    if (report?.state === 'running') return false
    return this.cluster.nowMs - attempt.startedMs >= this.limits.retryTaskMs
  }

  private nameOf({ kind, container }: ReconcileDue, { number }: Attempt): string {
    return `${kind}-${container}-${this.cluster.term}-${number}`
  }

  private placeOf(datanode: DatanodeId): ReplicaLocation {
    return { datanode, address: this.cluster.nodes.get(datanode)?.row.address }
  }
}

function keyOf(datanode: DatanodeId, container: ContainerId): string {
  return `${container} ${datanode}`
}
