/** Judges the shards of an erasure-coded container together, and plans what is missing. */

import type { DatanodeId } from '../../api/api.ts'
import { ecShape, holdersOf, sortReplicas } from './container-facts.ts'
import type { EcGroupFacts, ReplicaFacts, ShardFacts, Sorted } from './container-facts.ts'
import { choosePlaces } from './placement.ts'
import type { Placement, PlacementRefusal } from './placement.ts'
import type { ContainerHealth } from '../../api/api.ts'
import { freeSources, worstPlaced } from './replication-plan.ts'
import type { PlanContext, RepairAction, RepairPlan } from './replication-plan.ts'
import { misplacement } from './topology.ts'
import type { Topology } from './topology.ts'

/** What one shard is worth. */
type ShardWorth =
  | 'solid'
  /** On its way. */
  | 'arriving'
  /** Suspected or in maintenance: it will probably be back. */
  | 'waiting'
  /** On a datanode that is taken away. */
  | 'departing'
  /** No good replica of it is known to be alive. */
  | 'lost'

export interface ShardAssessment {
  readonly index: number
  readonly worth: ShardWorth
  readonly good: Sorted
  readonly damaged: Sorted
}

export interface GroupAssessment {
  readonly health: ContainerHealth
  /** Shards that can be lost before the container is; counts those that are readable now. Negative: it cannot be read. */
  readonly redundancy: number
  /** Indexes to make now: out of the others, or by a copy where there is something to copy. */
  readonly missing: readonly number[]
  /** See `misplacement`, over all shards that are there or on their way. */
  readonly misplaced: number
  readonly shards: readonly ShardAssessment[]
}

/**
 * A shard has one replica, so what three replicas are to a container, shards are to the group: suspected and resting ones are
 * waited for, as long as one more than is needed to read is solid.
 */
export function assessGroup(group: EcGroupFacts, topology: Topology): GroupAssessment {
  const { data, parity } = ecShape[group.policy]
  const shards = group.shards.map((shard, index) => assessShard(shard, index, topology))
  const readable = shards.filter(({ good }) => good.readable.length > 0).length
  const alive = shards.filter(({ worth }) => worth !== 'lost' && worth !== 'arriving').length
  const holders = shards.flatMap(({ good, index }) => placesOf(good, group.shards[index]))
  const found = {
    redundancy: readable - data,
    missing: readable < data ? [] : missingOf(shards, data),
    misplaced: misplacement(holders, data + parity, topology),
    shards,
  }
  return { ...found, health: healthOf(found, alive - data) }
}

function assessShard(shard: ShardFacts, index: number, topology: Topology): ShardAssessment {
  const staying = shard.replicas.filter(({ datanode }) => !shard.leaving.includes(datanode))
  const good = sortReplicas(
    staying.filter(({ state }) => state === 'CLOSED'),
    topology,
  )
  const damaged = sortReplicas(
    staying.filter(({ state }) => state !== 'CLOSED'),
    topology,
  )
  return { index, worth: shardWorth(shard, good), good, damaged }
}

function shardWorth(shard: ShardFacts, good: Sorted): ShardWorth {
  if (good.solid.length > 0) return 'solid'
  if (shard.arriving.length > 0) return 'arriving'
  if (good.suspect.length + good.resting.length > 0) return 'waiting'
  return good.departing.length > 0 ? 'departing' : 'lost'
}

function missingOf(shards: readonly ShardAssessment[], data: number): readonly number[] {
  const indexesOf = (...worths: readonly ShardWorth[]): number[] =>
    shards.filter(({ worth }) => worths.includes(worth)).map(({ index }) => index)
  const gone = indexesOf('lost', 'departing')
  const solid = indexesOf('solid', 'arriving').length + gone.length
  const waiting = indexesOf('waiting').slice(0, Math.max(0, data + 1 - solid))
  return [...gone, ...waiting].toSorted((a, b) => a - b)
}

function placesOf(good: Sorted, shard: ShardFacts | undefined): readonly DatanodeId[] {
  const present = holdersOf([...good.solid, ...good.suspect, ...good.resting])
  // Of two replicas one goes: the shard counts once.
  return [...(shard?.arriving ?? []), ...present].slice(0, 1)
}

function healthOf(found: Omit<GroupAssessment, 'health'>, aliveBeyondData: number): ContainerHealth {
  if (aliveBeyondData < 0) return 'MISSING'
  const { shards } = found
  if (found.missing.length > 0 || shards.some(({ worth }) => worth === 'arriving')) return 'UNDER_REPLICATED'
  if (shards.some(({ damaged }) => damaged.solid.length > 0)) return 'UNHEALTHY'
  if (shards.some(({ good }) => good.solid.length > 1)) return 'OVER_REPLICATED'
  return found.misplaced > 0 ? 'MIS_REPLICATED' : 'HEALTHY'
}

const nothing: RepairPlan = { actions: [] }

/** As `planRepair`, for all shards of a group. Each shard that is missing is made at a datanode of its own. */
export function planGroupRepair(group: EcGroupFacts, found: GroupAssessment, context: PlanContext): RepairPlan {
  switch (found.health) {
    case 'UNDER_REPLICATED':
      return makeMissing(group, found, context)
    case 'UNHEALTHY':
      return { actions: found.shards.flatMap((shard) => deleteDamaged(group, shard)) }
    case 'OVER_REPLICATED':
      return { actions: found.shards.flatMap((shard) => deleteSurplus(group, found, shard, context.topology)) }
    case 'MIS_REPLICATED':
      return spread(group, found, context)
    case 'MISSING':
    case 'HEALTHY':
    case 'DIFFERING':
    case 'QUASI_CLOSED_STUCK':
      return nothing
  }
}

function makeMissing(group: EcGroupFacts, found: GroupAssessment, context: PlanContext): RepairPlan {
  const actions: RepairAction[] = []
  const beside = new Map<DatanodeId, number>()
  let blocked: RepairPlan['blocked']
  for (const index of found.missing) {
    const shard = found.shards[index]
    if (shard === undefined) continue
    const taken = actions.flatMap((action) => ('target' in action ? [action.target] : []))
    const sources = sourcesOf(group, found, { shard, beside }, context)
    if (sources === undefined) {
      blocked ??= {
        refusal: 'busy',
        message: `too many datanodes with shards of container ${group.id} have enough to do`,
      }
      continue
    }
    const placement = placeShard(group, found, { index, taken }, context)
    if (placement.kind === 'refused') {
      blocked ??= placement
      continue
    }
    const [target] = placement.places
    if (target === undefined) continue
    actions.push(making(group, index, target, sources))
    for (const id of sources.from) beside.set(id, (beside.get(id) ?? 0) + 1)
  }
  return { actions, blocked }
}

interface Sources {
  readonly how: 'copy' | 'reconstruct'
  readonly from: readonly DatanodeId[]
}

function making(group: EcGroupFacts, index: number, target: DatanodeId, sources: Sources): RepairAction {
  const bytes = group.shardBytes
  const shard = group.shards[index]?.container
  if (sources.how === 'copy' && shard !== undefined) {
    return { kind: 'copy', container: shard, target, sources: sources.from, bytes }
  }
  return { kind: 'reconstruct', container: group.id, index, target, sources: sources.from, bytes }
}

/** A copy reads one shard, a reconstruction as many as there are data shards. Undefined: they have enough to do. */
function sourcesOf(
  group: EcGroupFacts,
  found: GroupAssessment,
  asked: { readonly shard: ShardAssessment; readonly beside: ReadonlyMap<DatanodeId, number> },
  context: PlanContext,
): Sources | undefined {
  const { shard, beside } = asked
  const copyable = freeSources(shard.good.readable, context, { beside })
  if (copyable.length > 0) return { how: 'copy', from: copyable }
  if (shard.good.readable.length > 0) return undefined
  const { data } = ecShape[group.policy]
  const others = found.shards.flatMap(({ good, index }) => (index === shard.index ? [] : good.readable.slice(0, 1)))
  const from = freeSources(others, { ...context, limits: { ...context.limits, maxSources: data } }, { beside })
  return from.length < data ? undefined : { how: 'reconstruct', from }
}

/**
 * Where no other shard is. With too few datanodes for that, next to one other: the code bears the loss of two, and the group is
 * spread again when there are more.
 */
function placeShard(
  group: EcGroupFacts,
  found: GroupAssessment,
  asked: { readonly index: number; readonly taken: readonly DatanodeId[]; readonly maxUsedShare?: number },
  context: PlanContext,
): Placement {
  const { data, parity } = ecShape[group.policy]
  const others = found.shards.filter(({ index }) => index !== asked.index)
  const existing = [...others.flatMap(({ good, index }) => placesOf(good, group.shards[index])), ...asked.taken]
  const own = group.shards[asked.index]
  const excluded = [
    ...holdersOf(own?.replicas ?? []),
    ...(own?.leaving ?? []),
    ...(own?.arriving ?? []),
    ...(context.avoid ?? []),
  ]
  const { maxIncoming } = context.limits
  const { maxUsedShare } = asked
  const request = { count: 1, total: data + parity, bytes: group.shardBytes, existing, excluded, maxIncoming }
  const limited = maxUsedShare === undefined ? request : { ...request, maxUsedShare }
  const alone = choosePlaces(limited, context.topology, context.draw)
  if (alone.kind === 'placed' || !mayShare(alone.refusal, asked)) return alone
  const twice = existing.filter((id, n) => existing.indexOf(id) !== n)
  const barred = [...excluded, ...asked.taken]
  return choosePlaces({ ...request, existing: twice, excluded: barred }, context.topology, context.draw)
}

function mayShare(refusal: PlacementRefusal, asked: { readonly maxUsedShare?: number }): boolean {
  return refusal === 'too-few-datanodes' && asked.maxUsedShare === undefined
}

// ---------------------------------------------------------------------------------------------------------- deleting

function deleteDamaged(group: EcGroupFacts, shard: ShardAssessment): readonly RepairAction[] {
  const container = group.shards[shard.index]?.container
  if (container === undefined || shard.good.solid.length === 0) return []
  return holdersOf(shard.damaged.solid).map((datanode) => ({ kind: 'delete', container, datanode }))
}

/** All but one. Which one stays is decided with the places of the other shards in view. */
function deleteSurplus(
  group: EcGroupFacts,
  found: GroupAssessment,
  shard: ShardAssessment,
  topology: Topology,
): readonly RepairAction[] {
  const facts = group.shards[shard.index]
  if (facts === undefined || facts.arriving.length > 0 || shard.good.solid.length < 2) return []
  const { data, parity } = ecShape[group.policy]
  const others = found.shards.filter((other) => other !== shard)
  const elsewhere = others.flatMap(({ good, index }) => placesOf(good, group.shards[index]))
  const options = { total: data + parity, moved: facts.moved, elsewhere }
  let staying: readonly ReplicaFacts[] = shard.good.solid
  const actions: RepairAction[] = []
  while (staying.length > 1) {
    const victim = worstPlaced(holdersOf(staying), options, topology)
    if (victim === undefined) break
    actions.push({ kind: 'delete', container: facts.container, datanode: victim })
    staying = staying.filter(({ datanode }) => datanode !== victim)
  }
  return actions
}

/** One shard at a time, only to a place that makes the whole lie better. */
function spread(group: EcGroupFacts, found: GroupAssessment, context: PlanContext): RepairPlan {
  const { data, parity } = ecShape[group.policy]
  const maxUsedShare = context.topology.meanUsedShare + context.limits.spreadMargin
  let blocked: RepairPlan['blocked']
  for (const shard of found.shards) {
    if (shard.worth !== 'solid') continue
    const elsewhere = found.shards
      .filter((other) => other !== shard)
      .flatMap(({ good, index }) => placesOf(good, group.shards[index]))
    // Moving this one away must help at all.
    if (misplacement(elsewhere, data + parity, context.topology) >= found.misplaced) continue
    const placement = placeShard(group, found, { index: shard.index, taken: [], maxUsedShare }, context)
    if (placement.kind === 'refused') {
      blocked ??= placement
      continue
    }
    const [target] = placement.places
    if (target === undefined) continue
    if (misplacement([...elsewhere, target], data + parity, context.topology) >= found.misplaced) continue
    const from = freeSources(shard.good.readable, context)
    if (from.length > 0) return { actions: [making(group, shard.index, target, { how: 'copy', from })] }
    blocked ??= { refusal: 'busy', message: `the datanode of a shard of container ${group.id} has enough to do` }
  }
  return { actions: [], blocked }
}
