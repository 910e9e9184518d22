/** What planners see of containers, and how much each replica is worth where it is. */

import type {
  ContainerId,
  ContainerReport,
  ContainerState,
  DatanodeId,
  EcPolicy,
  ReplicationConfig,
} from '../../api/api.ts'
import type { NodeFacts, Topology } from './topology.ts'

export interface ReplicaFacts {
  readonly datanode: DatanodeId
  readonly state: ContainerReport['state']
  readonly contentHash?: string | undefined
  /** As in `ContainerReport`. */
  readonly isOrigin?: boolean | undefined
  /**
   * Its datanode has it, and nobody counts on it: it was dead when the others were told to delete blocks, say. It is good only
   * as far as its content is that of the others.
   */
  readonly stray?: boolean | undefined
}

/** A container, and the replicas of it that are known: reported, or remembered of a datanode that has not been heard. */
export interface ContainerFacts {
  readonly id: ContainerId
  readonly state: ContainerState
  readonly replication: ReplicationConfig
  readonly replicas: readonly ReplicaFacts[]
  /** What a copy takes. */
  readonly bytes: number
  /** The members that it was written through: only they can have blocks that the others lack. */
  readonly origins: readonly DatanodeId[]
  /** Some replicas have not yet said that they deleted what they were told to: hashes differ for a while. */
  readonly pendingDeletions: boolean
  /** Datanodes that a replica is being made at. */
  readonly arriving: readonly DatanodeId[]
  /** Datanodes that were told to delete theirs. What they still report is as good as gone. */
  readonly leaving: readonly DatanodeId[]
  /** Remembered, and not there: the datanode answers, and does not have it. */
  readonly absent: readonly DatanodeId[]
  /** Goes first when there is one too many and places are equally good: what a move leaves behind. */
  readonly moved?: DatanodeId | undefined
}

/** One of an erasure-coded container: a container with one replica. */
export interface ShardFacts {
  readonly container: ContainerId
  readonly replicas: readonly ReplicaFacts[]
  readonly arriving: readonly DatanodeId[]
  readonly leaving: readonly DatanodeId[]
  readonly moved?: DatanodeId | undefined
}

/** An erasure-coded container with its shards, in the order of the code. */
export interface EcGroupFacts {
  readonly id: ContainerId
  readonly policy: EcPolicy
  readonly shards: readonly ShardFacts[]
  /** What one shard takes. */
  readonly shardBytes: number
}

/** Data and parity shards of each policy. */
export const ecShape: Readonly<Record<EcPolicy, { readonly data: number; readonly parity: number }>> = {
  'rs-3-2-1024k': { data: 3, parity: 2 },
  'rs-6-3-1024k': { data: 6, parity: 3 },
  'rs-10-4-1024k': { data: 10, parity: 4 },
}

/** Replicas that a container has until it is erasure-coded, if ever. */
export function replicasOf(replication: ReplicationConfig): number {
  return replication === 'RATIS/ONE' ? 1 : 3
}

/** Undefined for what is never erasure-coded. */
export function ecPolicyOf(replication: ReplicationConfig): EcPolicy | undefined {
  switch (replication) {
    case 'RATIS/ONE':
    case 'RATIS/THREE':
      return undefined
    case 'EC/rs-3-2-1024k':
      return 'rs-3-2-1024k'
    case 'EC/rs-6-3-1024k':
      return 'rs-6-3-1024k'
    case 'EC/rs-10-4-1024k':
      return 'rs-10-4-1024k'
  }
}

/**
 * What a replica at a datanode is worth.
 * - `solid`: the datanode answers and is in service;
 * - `suspect`: it has not been heard for a while, and most of those come back;
 * - `resting`: in maintenance, or about to be; it will come back, and until then may be down;
 * - `departing`: it is being taken away. Good to copy from, and nothing to rely on;
 * - `gone`: dead or unknown.
 */
export type Worth = 'solid' | 'suspect' | 'resting' | 'departing' | 'gone'

/** Of everything at this datanode. */
export function worthOf(node: Pick<NodeFacts, 'operational' | 'health'> | undefined): Worth {
  if (node === undefined) return 'gone'
  switch (node.operational) {
    case 'IN_SERVICE':
      if (node.health === 'HEALTHY') return 'solid'
      return node.health === 'STALE' ? 'suspect' : 'gone'
    case 'ENTERING_MAINTENANCE':
      return node.health === 'DEAD' ? 'gone' : 'resting'
    case 'IN_MAINTENANCE':
      return 'resting'
    case 'DECOMMISSIONING':
    case 'DECOMMISSIONED':
      return node.health === 'DEAD' ? 'gone' : 'departing'
  }
}

/** Replicas by what they are worth. */
export interface Sorted {
  readonly solid: readonly ReplicaFacts[]
  readonly suspect: readonly ReplicaFacts[]
  readonly resting: readonly ReplicaFacts[]
  readonly departing: readonly ReplicaFacts[]
  /** Those of all the above whose datanode answers now: to copy from. */
  readonly readable: readonly ReplicaFacts[]
}

/** Without those of datanodes that are gone; each list in the order of the datanodes' ids. */
export function sortReplicas(replicas: readonly ReplicaFacts[], topology: Topology): Sorted {
  const byWorth: Record<Worth, ReplicaFacts[]> = { solid: [], suspect: [], resting: [], departing: [], gone: [] }
  const readable: ReplicaFacts[] = []
  for (const replica of replicas.toSorted(byDatanode)) {
    const node = topology.nodes.get(replica.datanode)
    byWorth[worthOf(node)].push(replica)
    if (node?.health === 'HEALTHY') readable.push(replica)
  }
  const { solid, suspect, resting, departing } = byWorth
  return { solid, suspect, resting, departing, readable }
}

function byDatanode(a: ReplicaFacts, b: ReplicaFacts): number {
  return a.datanode < b.datanode ? -1 : 1
}

/** The datanodes of replicas, in their order. */
export function holdersOf(replicas: readonly ReplicaFacts[]): readonly DatanodeId[] {
  return replicas.map((replica) => replica.datanode)
}
