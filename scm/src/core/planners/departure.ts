/** How datanodes leave: decommissioning and maintenance. */

import type { DatanodeId, EcPolicy, NodeDepartureProgress, NodeOperationalState } from '../../api/api.ts'
import { ecShape, holdersOf, replicasOf } from './container-facts.ts'
import type { ContainerFacts, EcGroupFacts } from './container-facts.ts'
import type { GroupAssessment } from './erasure-plan.ts'
import type { Assessment } from './replication-health.ts'
import { spaceOf, takesCopies } from './topology.ts'
import type { NodeFacts, Topology } from './topology.ts'

/** True while something would be lacking without what the datanode has, also if copies are on their way. */
export function needs(container: ContainerFacts, found: Assessment, datanode: DatanodeId): boolean {
  const { good, stray, damaged, incomplete } = found
  const has = (replicas: Assessment['good']): boolean =>
    holdersOf([...replicas.solid, ...replicas.suspect, ...replicas.resting, ...replicas.departing]).includes(datanode)
  if (good.solid.length >= replicasOf(container.replication)) return false
  if (has(good)) return found.short
  // The only thing that is left of a container is not left behind, however bad it is.
  const others = [...good.solid, ...good.suspect, ...good.resting]
  return others.length === 0 && (has(stray) || has(incomplete) || has(damaged))
}

/** As `needs`, for a group with a shard on the datanode. */
export function groupNeeds(group: EcGroupFacts, found: GroupAssessment, datanode: DatanodeId): boolean {
  return group.shards.some((shard, index) => {
    if (!shard.replicas.some((replica) => replica.datanode === datanode)) return false
    const worth = found.shards[index]?.worth
    if (worth === 'solid') return false
    return worth === 'waiting' ? found.missing.includes(index) : true
  })
}

export interface DepartureFacts {
  readonly operational: NodeOperationalState
  readonly maintenanceUntilMs: number | undefined
  readonly wallMs: number
  /** Pipelines that it is a member of, and containers on it that are not closed yet. */
  readonly pipelines: number
  readonly unclosed: number
  /** What needs its replicas, and how much that is. */
  readonly needed: number
  readonly neededBytes: number
  /** Of copies made since it began to leave; 0 when none was made yet. */
  readonly bytesPerSecond: number
}

export interface Departure {
  /** The state to go to now. */
  readonly to: NodeOperationalState | undefined
  /** Undefined for a datanode that is not on its way out. */
  readonly progress: NodeDepartureProgress | undefined
}

/** The next step of a datanode that leaves, or comes back because its time is over. */
export function planDeparture(facts: DepartureFacts): Departure {
  const { operational } = facts
  switch (operational) {
    case 'IN_SERVICE':
    case 'DECOMMISSIONED':
      return { to: undefined, progress: undefined }
    case 'IN_MAINTENANCE':
      return { to: isOver(facts) ? 'IN_SERVICE' : undefined, progress: undefined }
    case 'ENTERING_MAINTENANCE':
      if (isOver(facts)) return { to: 'IN_SERVICE', progress: undefined }
      return { to: isFree(facts) ? 'IN_MAINTENANCE' : undefined, progress: progressOf(facts) }
    case 'DECOMMISSIONING':
      return { to: isFree(facts) ? 'DECOMMISSIONED' : undefined, progress: progressOf(facts) }
  }
}

function isOver(facts: DepartureFacts): boolean {
  return facts.maintenanceUntilMs !== undefined && facts.maintenanceUntilMs <= facts.wallMs
}

function isFree(facts: DepartureFacts): boolean {
  return facts.pipelines === 0 && facts.unclosed === 0 && facts.needed === 0
}

function progressOf(facts: DepartureFacts): NodeDepartureProgress {
  const left = { containersLeft: facts.needed + facts.unclosed, bytesLeft: facts.neededBytes }
  if (facts.bytesPerSecond <= 0) return left
  return { ...left, estimatedSeconds: Math.ceil(facts.neededBytes / facts.bytesPerSecond) }
}

export interface DepartureRequest {
  readonly datanode: DatanodeId
  readonly to: 'DECOMMISSIONED' | 'IN_MAINTENANCE'
  /** Whether there are containers with three replicas, and of which policies there are encoded ones. */
  readonly inUse: { readonly three: boolean; readonly ec: readonly EcPolicy[] }
  /** What its replicas take. */
  readonly bytes: number
}

/** Why the datanode is not let go without force; undefined when nothing speaks against it. */
export function whyNotLeave(request: DepartureRequest, topology: Topology): string | undefined {
  const staying = [...topology.nodes.values()].filter(
    (node) => node.id !== request.datanode && node.operational === 'IN_SERVICE' && node.health !== 'DEAD',
  )
  const { count, why } = leastStaying(request)
  if (staying.length < count) {
    return `${why} need ${count} datanodes in service, and without ${request.datanode} there are ${staying.length}`
  }
  // In maintenance what it has stays where it is, but for the few that would have one copy left.
  if (request.to === 'IN_MAINTENANCE') return undefined
  const room = roomOf(staying)
  if (room >= request.bytes) return undefined
  return `its containers take ${request.bytes} bytes, and the other datanodes have room for ${room}`
}

function leastStaying(request: DepartureRequest): { readonly count: number; readonly why: string } {
  const rests = request.to === 'IN_MAINTENANCE'
  const demands = request.inUse.ec.map((policy) => {
    const { data, parity } = ecShape[policy]
    return { count: rests ? data + 1 : data + parity, why: `containers of EC/${policy}` }
  })
  if (request.inUse.three) demands.push({ count: rests ? 2 : 3, why: 'containers of RATIS/THREE' })
  const least = { count: 1, why: 'containers' }
  return demands.reduce((most, each) => (each.count > most.count ? each : most), least)
}

function roomOf(nodes: readonly NodeFacts[]): number {
  return nodes.filter(takesCopies).reduce((sum, node) => sum + spaceOf(node).availableBytes, 0)
}
