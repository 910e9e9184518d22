/** Judges one container: how many replicas of which quality there are, and how many are missing or too many. */

import type { ContainerHealth } from '../../api/api.ts'
import { holdersOf, replicasOf, sortReplicas } from './container-facts.ts'
import type { ContainerFacts, ReplicaFacts, Sorted } from './container-facts.ts'
import { misplacement, toleratedPerRack } from './topology.ts'
import type { Topology } from './topology.ts'

export interface Assessment {
  readonly health: ContainerHealth
  /** Good replicas that can be lost before something is: 0 for the last copy, less than that when none is readable now. */
  readonly redundancy: number
  /** Replicas are missing, also while they are on their way: nobody may leave who has one. */
  readonly short: boolean
  /** Replicas to make now, beside those on their way. */
  readonly missing: number
  /** Of `good.solid`, to delete now. */
  readonly surplus: number
  /** See `misplacement` and `toleratedPerRack`; over the good replicas and those on their way. */
  readonly misplaced: number
  readonly good: Sorted
  readonly damaged: Sorted
  /** Open or sealed alone, of a container that is closed: they may lack blocks. */
  readonly incomplete: Sorted
  /** Whole, and nobody counts on them. */
  readonly stray: Sorted
}

/** Containers that are still written, or are being deleted, are nothing to repair. */
export function isAssessed(container: Pick<ContainerFacts, 'state'>): boolean {
  return container.state === 'CLOSED' || container.state === 'QUASI_CLOSED'
}

/** This many must be where they can be relied on: neither a suspicion nor a maintenance may leave a container with one. */
const leastSolid = 2

/** For a container that `isAssessed`, and is not erasure-coded. */
export function assess(container: ContainerFacts, topology: Topology): Assessment {
  const staying = container.replicas.filter((replica) => !container.leaving.includes(replica.datanode))
  const goodStates = container.state === 'CLOSED' ? ['CLOSED'] : ['CLOSED', 'QUASI_CLOSED']
  const isDamaged = (replica: ReplicaFacts): boolean => replica.state === 'UNHEALTHY'
  const isGood = (replica: ReplicaFacts): boolean => goodStates.includes(replica.state)
  const good = sortReplicas(
    staying.filter((replica) => isGood(replica) && replica.stray !== true),
    topology,
  )
  const stray = sortReplicas(
    staying.filter((replica) => isGood(replica) && replica.stray === true),
    topology,
  )
  const damaged = sortReplicas(staying.filter(isDamaged), topology)
  const incomplete = sortReplicas(
    staying.filter((replica) => !isGood(replica) && !isDamaged(replica)),
    topology,
  )
  const required = replicasOf(container.replication)
  const present = holdersOf([...good.solid, ...good.suspect, ...good.resting])
  // A replica that is completed in place is there already.
  const arriving = container.arriving.filter((id) => !present.includes(id))
  const found = {
    redundancy: good.readable.length - 1,
    short: missingOf(good, required, 0) > 0,
    missing: missingOf(good, required, arriving.length),
    surplus: container.arriving.length === 0 ? Math.max(0, good.solid.length - required) : 0,
    misplaced: misplacement([...present, ...arriving], required, topology, toleratedPerRack(required, topology.racks)),
    good,
    damaged,
    incomplete,
    stray,
  }
  return { ...found, health: healthOf(container, found) }
}

/**
 * Suspected and resting replicas count, so that a restart or a cable does not set off copies of everything; but at least two
 * others must be solid, which also makes the last solid copy of a container urgent while its others are only suspected.
 * Without one that can be read now, nothing can be made and waiting is all there is.
 */
function missingOf(good: Sorted, required: number, arriving: number): number {
  const solid = good.solid.length + arriving
  const counted = solid + good.suspect.length + good.resting.length
  const least = good.readable.length === 0 ? 0 : Math.min(leastSolid, required)
  return Math.max(0, required - counted, least - solid)
}

function healthOf(container: ContainerFacts, found: Omit<Assessment, 'health'>): ContainerHealth {
  const { good, damaged, incomplete } = found
  if (!exists(good)) {
    if (exists(found.stray)) return 'UNDER_REPLICATED'
    if (exists(incomplete)) return 'QUASI_CLOSED_STUCK'
    return exists(damaged) ? 'UNHEALTHY' : 'MISSING'
  }
  if (container.state === 'QUASI_CLOSED') {
    return originsAmong(container, good.readable).length >= 2 ? 'DIFFERING' : 'QUASI_CLOSED_STUCK'
  }
  if (!container.pendingDeletions && differ(good)) return 'DIFFERING'
  if (found.short) return 'UNDER_REPLICATED'
  // What a datanode keeps that is being taken away is nobody's concern once there are enough others.
  if (exists({ ...damaged, departing: [] })) return 'UNHEALTHY'
  if (found.surplus > 0 || incomplete.solid.length > 0 || found.stray.solid.length > 0) return 'OVER_REPLICATED'
  return found.misplaced > 0 ? 'MIS_REPLICATED' : 'HEALTHY'
}

/**
 * Those of members of its pipeline, as far as they are vouched for (`isVouchedFor` in `core/life`). Two of three have every
 * acknowledged block between them.
 */
export function originsAmong(container: ContainerFacts, replicas: readonly ReplicaFacts[]): readonly ReplicaFacts[] {
  return replicas.filter(({ datanode, state, isOrigin }) => {
    return container.origins.includes(datanode) && (isOrigin === true || state === 'CLOSED')
  })
}

function exists(sorted: Sorted): boolean {
  return sorted.solid.length + sorted.suspect.length + sorted.resting.length + sorted.departing.length > 0
}

/** A hash that is not known yet says nothing. Only replicas whose reports are fresh are compared. */
function differ(good: Sorted): boolean {
  const hashes = good.readable.flatMap((replica) => (replica.contentHash === undefined ? [] : [replica.contentHash]))
  return new Set(hashes).size > 1
}
