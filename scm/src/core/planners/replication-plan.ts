/** What to do about a container: copies, deletions, reconciliations. */

import type { ContainerId, DatanodeId } from '../../api/api.ts'
import { holdersOf, replicasOf, worthOf } from './container-facts.ts'
import type { ContainerFacts, ReplicaFacts } from './container-facts.ts'
import { choosePlaces } from './placement.ts'
import type { Draw, PlacementRefusal, PlacementRequest } from './placement.ts'
import { originsAmong } from './replication-health.ts'
import type { Assessment } from './replication-health.ts'
import { misplacement, toleratedPerRack, usedShareOf } from './topology.ts'
import type { Topology } from './topology.ts'

export type RepairAction =
  | {
      readonly kind: 'copy'
      readonly container: ContainerId
      readonly target: DatanodeId
      /** The least busy first. */
      readonly sources: readonly DatanodeId[]
      readonly bytes: number
    }
  | { readonly kind: 'delete'; readonly container: ContainerId; readonly datanode: DatanodeId }
  | {
      readonly kind: 'reconcile'
      readonly container: ContainerId
      readonly datanode: DatanodeId
      readonly sources: readonly DatanodeId[]
    }
  /** Of an erasure-coded container: makes the shard with this index again, out of the others. */
  | {
      readonly kind: 'reconstruct'
      readonly container: ContainerId
      readonly index: number
      readonly target: DatanodeId
      readonly sources: readonly DatanodeId[]
      readonly bytes: number
    }

/** Actions may be carried out at the same time. `blocked`: there is more to do, but not now. */
/** Changes of what is written down, and of nothing else. */
export type Bookkeeping =
  /** From now on this stray counts. */
  | { readonly kind: 'adopt'; readonly datanode: DatanodeId }
  /** Nobody waits for it any more. */
  | { readonly kind: 'forget'; readonly datanode: DatanodeId }

export interface RepairPlan {
  readonly actions: readonly RepairAction[]
  readonly blocked?: { readonly refusal: PlacementRefusal; readonly message: string } | undefined
}

export interface RepairLimits {
  /** Tasks that write to, and that read from one datanode at the same time. */
  readonly maxIncoming: number
  readonly maxOutgoing: number
  /** A copy pulls from so many sources at once. */
  readonly maxSources: number
  /** Copies for the sake of racks go only to datanodes that are at most this much fuller than the mean (share of their space). */
  readonly spreadMargin: number
}

export interface PlanContext {
  readonly topology: Topology
  readonly limits: RepairLimits
  readonly draw: Draw
  /** Datanodes at which a task for this container has failed lately. */
  readonly avoid?: readonly DatanodeId[] | undefined
}

const nothing: RepairPlan = { actions: [] }

/**
 * In the order of danger: replicas that are missing are made before any is deleted, and a replica is deleted only while
 * enough good ones are solid without it. Of a kind (damaged, incomplete, different) the last one stays for ever.
 */
export function planRepair(container: ContainerFacts, found: Assessment, context: PlanContext): RepairPlan {
  switch (found.health) {
    case 'HEALTHY':
    case 'MISSING':
      return nothing
    case 'DIFFERING':
      return reconcileAll(container, found, context)
    case 'QUASI_CLOSED_STUCK':
      return found.good.readable.length > 0 ? makeMissing(container, found, context) : nothing
    case 'UNDER_REPLICATED':
      // What is adopted need not be made; what is left is planned when that is written down.
      return adoptable(found).length > 0 ? nothing : completeOrCopy(container, found, context)
    case 'UNHEALTHY':
      return found.good.readable.length > 0
        ? deleteBad(container, found, found.damaged.solid)
        : combineDamaged(container, found, context)
    case 'OVER_REPLICATED':
      return found.surplus > 0
        ? deleteSurplus(container, found, context.topology)
        : deleteBad(container, found, [...found.incomplete.solid, ...found.stray.solid])
    case 'MIS_REPLICATED':
      return spread(container, found, context)
  }
}

/**
 * What is to be written down first. A stray is adopted where a replica is missing and its content is that of the others, or
 * where there are no others: with other content it would bring back blocks that were deleted. A replica that is gone is
 * forgotten once the container has enough without it; before that it is a place to hope for.
 */
export function planBookkeeping(
  container: ContainerFacts,
  found: Assessment,
  topology: Topology,
): readonly Bookkeeping[] {
  const adopted = adoptable(found).map(({ datanode }): Bookkeeping => ({ kind: 'adopt', datanode }))
  const enough = found.good.solid.length >= replicasOf(container.replication)
  const dead = container.replicas.filter(({ datanode }) => worthOf(topology.nodes.get(datanode)) === 'gone')
  const absent = found.good.readable.length > 0 ? container.absent : []
  const gone = [...absent, ...(enough ? holdersOf(dead.filter(({ stray }) => stray !== true)) : [])]
  return [...adopted, ...gone.map((datanode): Bookkeeping => ({ kind: 'forget', datanode }))]
}

function adoptable(found: Assessment): readonly ReplicaFacts[] {
  const { good, stray, missing } = found
  if (good.readable.length + good.suspect.length + good.resting.length === 0) return stray.readable.slice(0, 1)
  const [known] = byCount(good.readable)
  if (known === undefined) return []
  return stray.solid.filter(({ contentHash }) => contentHash === known[0]).slice(0, missing)
}

// ------------------------------------------------------------------------------------------------------------ making

/** An incomplete replica lacks little: completing it is cheaper than a copy, and needs no other datanode. */
function completeOrCopy(container: ContainerFacts, found: Assessment, context: PlanContext): RepairPlan {
  const barred = new Set([...container.arriving, ...(context.avoid ?? [])])
  const completable = found.incomplete.solid.filter(
    ({ state, datanode }) => state === 'QUASI_CLOSED' && !barred.has(datanode),
  )
  const sources = freeSources(alike(found.good.readable), context, { tasks: Math.max(1, found.missing) })
  if (sources.length === 0) return makeMissing(container, found, context)
  const completions = completable
    .slice(0, found.missing)
    .map(({ datanode }): RepairAction => ({ kind: 'reconcile', container: container.id, datanode, sources }))
  const rest = makeMissing(container, { ...found, missing: found.missing - completions.length }, context)
  return { ...rest, actions: [...completions, ...rest.actions] }
}

/** As many as there are places for: the second copy does not wait for a third datanode. */
function makeMissing(container: ContainerFacts, found: Assessment, context: PlanContext): RepairPlan {
  let blocked: RepairPlan['blocked']
  for (let count = found.missing; count > 0; count--) {
    const plan = copies(container, found, context, { count })
    if (plan.actions.length > 0) return { ...plan, blocked }
    blocked ??= plan.blocked
  }
  return makeRoom(container, found, blocked)
}

/**
 * Nowhere to go, and a datanode is taken by a damaged or outdated replica of the same container (three datanodes in all, say).
 * With two good ones elsewhere it may go before there is a third; damaged files stay in quarantine for a while. So may one of two
 * damaged ones beside a good one: the other is there while the copy is made, and to do nothing would leave a single good one for good.
 */
function makeRoom(container: ContainerFacts, found: Assessment, blocked: RepairPlan['blocked']): RepairPlan {
  const [bad] = [...found.damaged.solid, ...found.stray.solid]
  const hopeless = blocked !== undefined && blocked.refusal !== 'busy' && container.arriving.length === 0
  // Before it is closed a damaged one may be the only one that has a block.
  if (container.state !== 'CLOSED') return { actions: [], blocked }
  const isSafe = found.good.solid.length >= 2 || isOneOfSeveralDamaged(container, found)
  if (!hopeless || bad === undefined || !isSafe) return { actions: [], blocked }
  return { actions: [{ kind: 'delete', container: container.id, datanode: bad.datanode }], blocked }
}

/** A good one that was not closed by agreement may lack what a damaged one has. */
function isOneOfSeveralDamaged({ state }: ContainerFacts, { good, damaged }: Assessment): boolean {
  return state === 'CLOSED' && good.solid.length === 1 && damaged.solid.length >= 2
}

/** Each may have what the others have lost: a copy takes every block from one where it verifies. */
function combineDamaged(container: ContainerFacts, found: Assessment, context: PlanContext): RepairPlan {
  if (found.damaged.readable.length < 2 || container.arriving.length > 0) return nothing
  const sources = freeSources(found.damaged.readable, context)
  if (sources.length < 2) return blockedBySources
  return place(container, { count: 1, existing: holdersOf(found.damaged.readable), sources }, context)
}

function copies(
  container: ContainerFacts,
  found: Assessment,
  context: PlanContext,
  asked: { readonly count: number; readonly maxUsedShare?: number },
): RepairPlan {
  const sources = freeSources(alike(found.good.readable), context, { tasks: asked.count })
  if (sources.length === 0) return found.good.readable.length === 0 ? nothing : blockedBySources
  const { solid, suspect, resting } = found.good
  return place(
    container,
    { ...asked, existing: [...holdersOf([...solid, ...suspect, ...resting]), ...container.arriving], sources },
    context,
  )
}

function place(
  container: ContainerFacts,
  asked: Pick<PlacementRequest, 'count' | 'existing' | 'maxUsedShare'> & { readonly sources: readonly DatanodeId[] },
  context: PlanContext,
): RepairPlan {
  if (asked.count === 0) return nothing
  const { sources, ...places } = asked
  const placement = choosePlaces(
    {
      ...places,
      total: replicasOf(container.replication),
      bytes: container.bytes,
      // Also those that are about to delete theirs: a copy that overtook the deletion would be deleted.
      excluded: [...holdersOf(container.replicas), ...container.leaving, ...(context.avoid ?? [])],
      maxIncoming: context.limits.maxIncoming,
    },
    context.topology,
    context.draw,
  )
  if (placement.kind === 'refused') return { actions: [], blocked: placement }
  const { id, bytes } = container
  return { actions: placement.places.map((target) => ({ kind: 'copy', container: id, target, sources, bytes })) }
}

const blockedBySources: RepairPlan = {
  actions: [],
  blocked: { refusal: 'busy', message: 'every datanode with a good replica has enough to do' },
}

/**
 * The least busy first, of those that bear `tasks` more. None: all have enough to do. `beside`: what the same plan has given
 * them to do already.
 */
export function freeSources(
  replicas: readonly ReplicaFacts[],
  context: PlanContext,
  asked: { readonly tasks?: number; readonly beside?: ReadonlyMap<DatanodeId, number> } = {},
): readonly DatanodeId[] {
  const { tasks = 1, beside } = asked
  const outgoing = (id: DatanodeId): number => (context.topology.nodes.get(id)?.outgoing ?? 0) + (beside?.get(id) ?? 0)
  return holdersOf(replicas)
    .filter((id) => outgoing(id) + tasks <= context.limits.maxOutgoing)
    .toSorted((a, b) => outgoing(a) - outgoing(b))
    .slice(0, context.limits.maxSources)
}

/**
 * Each from all others, one at a time: while a replica changes it is no source. Nothing is deleted before they agree. Where
 * they cannot be brought to agree (both sides verify, and differ), what is missing is copied all the same.
 */
function reconcileAll(container: ContainerFacts, found: Assessment, context: PlanContext): RepairPlan {
  if (container.arriving.length > 0) return nothing
  const eligible =
    container.state === 'QUASI_CLOSED' ? originsAmong(container, found.good.readable) : found.good.readable
  const common = mostCommonHash(eligible)
  const open = eligible.filter(({ datanode }) => !(context.avoid ?? []).includes(datanode))
  const target =
    open.find(({ state }) => state === 'QUASI_CLOSED') ?? open.find(({ contentHash }) => contentHash !== common)
  if (target === undefined) return makeMissing(container, found, context)
  const others = found.good.readable.filter((replica) => replica !== target)
  const sources = freeSources(others, { ...context, limits: { ...context.limits, maxSources: others.length } })
  // All of them or none: the block that it lacks may be at the one that was left out.
  if (sources.length < others.length) return blockedBySources
  return { actions: [{ kind: 'reconcile', container: container.id, datanode: target.datanode, sources }] }
}

/** A copy is of one content: of those that most have. A hash that is not known is like any other. */
function alike(replicas: readonly ReplicaFacts[]): readonly ReplicaFacts[] {
  const [most] = byCount(replicas)
  return replicas.filter(
    ({ contentHash }) => contentHash === undefined || most === undefined || contentHash === most[0],
  )
}

/** That more than one replica has. */
function mostCommonHash(replicas: readonly ReplicaFacts[]): string | undefined {
  const [most] = byCount(replicas)
  return most !== undefined && most[1] > 1 ? most[0] : undefined
}

/** The most frequent first; of equals the first by its text. */
function byCount(replicas: readonly ReplicaFacts[]): readonly (readonly [hash: string, count: number])[] {
  const counts = new Map<string, number>()
  for (const { contentHash } of replicas) {
    if (contentHash !== undefined) counts.set(contentHash, (counts.get(contentHash) ?? 0) + 1)
  }
  return [...counts].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
}

// ---------------------------------------------------------------------------------------------------------- deleting

function deleteSurplus(container: ContainerFacts, found: Assessment, topology: Topology): RepairPlan {
  const total = replicasOf(container.replication)
  const doomed: DatanodeId[] = []
  let staying = holdersOf(found.good.solid)
  while (doomed.length < found.surplus) {
    const victim = worstPlaced(staying, { total, moved: container.moved }, topology)
    if (victim === undefined) break
    doomed.push(victim)
    staying = staying.filter((id) => id !== victim)
  }
  return { actions: doomed.map((datanode) => ({ kind: 'delete', container: container.id, datanode })) }
}

/**
 * The one without which the rest lies best; then the one that a move leaves behind, then the one on the fullest datanode,
 * then by id: two leaders that see the same choose the same.
 */
export function worstPlaced(
  holders: readonly DatanodeId[],
  options: {
    readonly total: number
    readonly moved?: DatanodeId | undefined
    /** Of other shards, that stay. */
    readonly elsewhere?: readonly DatanodeId[]
  },
  topology: Topology,
): DatanodeId | undefined {
  const { total, elsewhere = [] } = options
  const ranked = holders.map((id) => {
    const node = topology.nodes.get(id)
    const without = holders.filter((other) => other !== id)
    return {
      id,
      misplaced: misplacement([...elsewhere, ...without], total, topology),
      moved: id === options.moved ? 0 : 1,
      usedShare: node === undefined ? 1 : usedShareOf(node),
    }
  })
  const [worst] = ranked.toSorted(
    (a, b) => a.misplaced - b.misplaced || a.moved - b.moved || b.usedShare - a.usedShare || (a.id < b.id ? -1 : 1),
  )
  return worst?.id
}

/** Once there are enough good ones without them. Those on datanodes that leave, rest or are silent are left alone. */
function deleteBad(container: ContainerFacts, found: Assessment, bad: readonly ReplicaFacts[]): RepairPlan {
  if (found.good.solid.length < replicasOf(container.replication)) return nothing
  return { actions: holdersOf(bad).map((datanode) => ({ kind: 'delete', container: container.id, datanode })) }
}

// --------------------------------------------------------------------------------------------------------- spreading

/** One copy at a better place; afterwards there is one too many, and the worst placed one goes. Accepted where there is none. */
function spread(container: ContainerFacts, found: Assessment, context: PlanContext): RepairPlan {
  const total = replicasOf(container.replication)
  // A replica that is suspected or resting may come back, and then the copy was for nothing.
  if (container.arriving.length > 0 || found.good.solid.length < total) return nothing
  const maxUsedShare = context.topology.meanUsedShare + context.limits.spreadMargin
  const plan = copies(container, found, context, { count: 1, maxUsedShare })
  const [copy] = plan.actions
  if (copy?.kind !== 'copy') return plan
  const holders = [...holdersOf(found.good.solid), copy.target]
  const leaves = worstPlaced(holders, { total }, context.topology)
  const after = holders.filter((id) => id !== leaves)
  const { topology } = context
  const tolerated = toleratedPerRack(total, topology.racks)
  return misplacement(after, total, topology, tolerated) < found.misplaced ? plan : nothing
}
