/** Evens out how full datanodes are. */

import type { ContainerId, DatanodeId } from '../../api/api.ts'
import { hasRoomFor, misplacement, spaceOf, takesCopies } from './topology.ts'
import type { NodeFacts, Topology } from './topology.ts'

/** A closed, healthy container that nobody works on. */
export interface Movable {
  readonly container: ContainerId
  readonly bytes: number
  /** How many replicas, or shards, there are to be. */
  readonly total: number
  /** Where they all are, the one that would move among them. */
  readonly holders: readonly DatanodeId[]
}

export interface Move {
  readonly container: ContainerId
  readonly from: DatanodeId
  readonly to: DatanodeId
  readonly bytes: number
}

export interface BalanceLimits {
  /** Begins when a datanode is further than this from the mean (share of its space), ends when all are within half of it. */
  readonly threshold: number
  /** Moves under way at the same time. */
  readonly maxMoves: number
  /** Tasks of a datanode in each direction, moves and repairs together. */
  readonly maxIncoming: number
  readonly maxOutgoing: number
  /** Containers of one datanode that are looked at for one move. */
  readonly maxExamined: number
}

export interface BalanceFacts {
  readonly topology: Topology
  /** Whether it was under way before: what it stops at is less than what it starts at. */
  readonly active: boolean
  /** Moves under way, and the space that they will free where they come from. */
  readonly moving: readonly Pick<Move, 'from' | 'bytes'>[]
  /** How much may be begun now. */
  readonly budgetBytes: number
  /** What could move away from there, in any order; asked for lazily. */
  movable(datanode: DatanodeId): Iterable<Movable>
}

export interface BalancePlan {
  readonly moves: readonly Move[]
  readonly active: boolean
  /** Of all datanodes that take copies, with what is on its way. */
  readonly meanUsedShare: number
  readonly largestDeviation: number
}

interface Load {
  readonly node: NodeFacts
  readonly totalBytes: number
  usedBytes: number
  incoming: number
  outgoing: number
}

/**
 * From datanodes above the mean to datanodes below it, where one of the two is out of bounds. No move makes its target fuller
 * than it leaves its source, so the sum of the squares of all loads falls with each: it ends, and nothing is ever moved
 * back. A move that would spread the replicas worse over racks is not made.
 */
export function planBalance(facts: BalanceFacts, limits: BalanceLimits): BalancePlan {
  const loads = loadsOf(facts)
  const totalBytes = loads.reduce((sum, load) => sum + load.totalBytes, 0)
  const mean = totalBytes === 0 ? 0 : loads.reduce((sum, load) => sum + load.usedBytes, 0) / totalBytes
  const largestDeviation = Math.max(0, ...loads.map((load) => Math.abs(shareOf(load) - mean)))
  const bound = facts.active ? limits.threshold / 2 : limits.threshold
  const active = largestDeviation > bound
  const moves: Move[] = []
  if (active) {
    const taken = new Set<ContainerId>()
    let budget = facts.budgetBytes
    while (moves.length + facts.moving.length < limits.maxMoves && budget > 0) {
      // While it is active everything is brought within the narrower bound.
      const move = nextMove({ facts, limits, loads, mean, bound: limits.threshold / 2, taken })
      if (move === undefined) break
      moves.push(move)
      budget -= move.bytes
    }
  }
  return { moves, active, meanUsedShare: mean, largestDeviation }
}

interface Search {
  readonly facts: BalanceFacts
  readonly limits: BalanceLimits
  readonly loads: readonly Load[]
  readonly mean: number
  readonly bound: number
  readonly taken: Set<ContainerId>
}

function nextMove(search: Search): Move | undefined {
  const { loads, mean, bound, limits } = search
  const sources = loads
    .filter((load) => shareOf(load) > mean && load.outgoing < limits.maxOutgoing)
    .toSorted((a, b) => shareOf(b) - shareOf(a) || (a.node.id < b.node.id ? -1 : 1))
  const targets = loads
    .filter((load) => shareOf(load) < mean && load.incoming < limits.maxIncoming)
    .toSorted((a, b) => shareOf(a) - shareOf(b) || (a.node.id < b.node.id ? -1 : 1))
  for (const source of sources) {
    const open = targets.filter((target) => shareOf(source) > mean + bound || shareOf(target) < mean - bound)
    const move = open.length === 0 ? undefined : moveFrom(source, open, search)
    if (move !== undefined) return move
  }
  return undefined
}

function moveFrom(source: Load, targets: readonly Load[], search: Search): Move | undefined {
  const { facts, limits, taken } = search
  let examined = 0
  for (const movable of facts.movable(source.node.id)) {
    if (examined >= limits.maxExamined) return undefined
    examined += 1
    if (taken.has(movable.container)) continue
    const target = targets.find((each) => isBetter(movable, source, each, facts.topology))
    if (target === undefined) continue
    taken.add(movable.container)
    source.usedBytes -= movable.bytes
    source.outgoing += 1
    target.usedBytes += movable.bytes
    target.incoming += 1
    return { container: movable.container, from: source.node.id, to: target.node.id, bytes: movable.bytes }
  }
  return undefined
}

function isBetter(movable: Movable, source: Load, target: Load, topology: Topology): boolean {
  const { bytes, holders, total } = movable
  if (bytes === 0 || holders.includes(target.node.id)) return false
  const after = { source: source.usedBytes - bytes, target: target.usedBytes + bytes }
  if (after.target / target.totalBytes > after.source / source.totalBytes) return false
  if (!hasRoomFor(target.node, bytes) || target.totalBytes - after.target < 0) return false
  // Of a group with two shards on the source only one moves.
  const first = holders.indexOf(source.node.id)
  const moved = holders.map((id, n) => (n === first ? target.node.id : id))
  return misplacement(moved, total, topology) <= misplacement(holders, total, topology)
}

function loadsOf(facts: BalanceFacts): readonly Load[] {
  const freed = new Map<DatanodeId, number>()
  for (const { from, bytes } of facts.moving) freed.set(from, (freed.get(from) ?? 0) + bytes)
  return [...facts.topology.nodes.values()].filter(takesCopies).flatMap((node) => {
    const { totalBytes, availableBytes } = spaceOf(node)
    if (totalBytes === 0) return []
    const usedBytes = totalBytes - availableBytes - (freed.get(node.id) ?? 0)
    return [{ node, totalBytes, usedBytes, incoming: node.incoming, outgoing: node.outgoing }]
  })
}

function shareOf(load: Load): number {
  return load.usedBytes / load.totalBytes
}
