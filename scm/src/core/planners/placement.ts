/** Where new replicas go. */

import type { DatanodeId } from '../../api/api.ts'
import { hasRoomFor, misplacement, takesCopies, usedShareOf } from './topology.ts'
import type { NodeFacts, Topology } from './topology.ts'

export interface PlacementRequest {
  /** How many to find. */
  readonly count: number
  /** How many there are to be in all: decides how they spread over racks. */
  readonly total: number
  /** What one of them needs. */
  readonly bytes: number
  /** Where others are, or will be: spread away from them. Never chosen again. */
  readonly existing: readonly DatanodeId[]
  /** Never chosen, and of no weight otherwise: they hold a bad replica, or failed lately. */
  readonly excluded?: readonly DatanodeId[]
  /** A datanode that this many copies are on their way to is busy. */
  readonly maxIncoming?: number
  /** None that is fuller than this: for copies that are a matter of taste, and not of safety. */
  readonly maxUsedShare?: number
}

/** Uniform in [0, 1); from the environment's `Random`. */
export type Draw = () => number

export type PlacementRefusal =
  /** Would do, but has enough to do: try again when a task has ended. */
  | 'busy'
  /** There are datanodes enough, but those that are left are too full. */
  | 'no-room'
  /** Not enough datanodes are alive, in service and without a replica. */
  | 'too-few-datanodes'

export type Placement =
  | {
      readonly kind: 'placed'
      readonly places: readonly DatanodeId[]
      /** The racks allow no better, but the replicas are not spread as they should be. */
      readonly misplaced: boolean
    }
  | {
      readonly kind: 'refused'
      readonly refusal: PlacementRefusal
      /** For people: what is wrong with how many datanodes. */
      readonly message: string
    }

/** Shares of free space that differ by less than this are the same: then the one with less to do is taken. */
const sameShare = 0.05

/**
 * All of `count` places, or why not. One at a time, each in a rack that has fewest so far; there, of two drawn at random the
 * one with more space (the power of two choices: no herd runs to the emptiest datanode). A place in a fuller rack is
 * taken only where the emptier ones have no datanode with room; that they are busy is a reason to wait, for a replica in the
 * wrong rack would have to be moved again.
 */
export function choosePlaces(request: PlacementRequest, topology: Topology, draw: Draw): Placement {
  const barred = new Set([...request.existing, ...(request.excluded ?? [])])
  const usable = [...topology.nodes.values()]
    .filter((node) => takesCopies(node) && !barred.has(node.id))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const roomy = usable.filter((node) => fits(node, request))
  const places: DatanodeId[] = []
  while (places.length < request.count) {
    const left = roomy.filter((node) => !places.includes(node.id))
    if (left.length === 0) {
      return refused(usable.length < request.count ? 'too-few-datanodes' : 'no-room', request, topology)
    }
    const emptiest = inEmptiestRacks(left, [...request.existing, ...places], topology)
    const free = emptiest.filter((node) => node.incoming < (request.maxIncoming ?? Infinity))
    const chosen = betterOfTwo(free, draw)
    if (chosen === undefined) return refused('busy', request, topology)
    places.push(chosen.id)
  }
  const before = misplacement(request.existing, request.total, topology)
  const after = misplacement([...request.existing, ...places], request.total, topology)
  return { kind: 'placed', places, misplaced: after > before }
}

function fits(node: NodeFacts, request: PlacementRequest): boolean {
  if (!hasRoomFor(node, request.bytes)) return false
  return request.maxUsedShare === undefined || usedShareOf(node) <= request.maxUsedShare
}

function inEmptiestRacks(
  candidates: readonly NodeFacts[],
  taken: readonly DatanodeId[],
  topology: Topology,
): NodeFacts[] {
  const inRack = new Map<string, number>()
  for (const id of taken) {
    const rack = topology.nodes.get(id)?.rack
    if (rack !== undefined) inRack.set(rack, (inRack.get(rack) ?? 0) + 1)
  }
  const fewest = Math.min(...candidates.map((node) => inRack.get(node.rack) ?? 0))
  return candidates.filter((node) => (inRack.get(node.rack) ?? 0) === fewest)
}

function betterOfTwo(nodes: readonly NodeFacts[], draw: Draw): NodeFacts | undefined {
  const first = Math.floor(draw() * nodes.length)
  // Among the others, so that two are compared whenever there are two.
  const second = (first + 1 + Math.floor(draw() * Math.max(0, nodes.length - 1))) % Math.max(1, nodes.length)
  const [a, b] = [nodes[first], nodes[second]]
  if (a === undefined || b === undefined) return a
  const difference = usedShareOf(a) - usedShareOf(b)
  if (Math.abs(difference) >= sameShare) return difference < 0 ? a : b
  if (a.incoming !== b.incoming) return a.incoming < b.incoming ? a : b
  return difference <= 0 ? a : b
}

function refused(refusal: PlacementRefusal, request: PlacementRequest, topology: Topology): Placement {
  const held = new Set(request.existing)
  const excluded = new Set(request.excluded)
  const counts = new Map<string, number>()
  for (const node of topology.nodes.values()) {
    const why = whyNot(node, request, held, excluded)
    counts.set(why, (counts.get(why) ?? 0) + 1)
  }
  const parts = [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([why, count]) => `${count} ${why}`)
  const place = request.count === 1 ? 'no place' : `no ${request.count} places`
  const mebibytes = Math.ceil(request.bytes / 2 ** 20)
  const found =
    parts.length === 0 ? 'there are no datanodes' : `of ${topology.nodes.size} datanodes: ${parts.join(', ')}`
  return { kind: 'refused', refusal, message: `${place} for ${mebibytes} MiB; ${found}` }
}

function whyNot(
  node: NodeFacts,
  request: PlacementRequest,
  held: ReadonlySet<DatanodeId>,
  excluded: ReadonlySet<DatanodeId>,
): string {
  if (node.health !== 'HEALTHY') return node.health === 'DEAD' ? 'dead' : 'suspected'
  if (node.operational !== 'IN_SERVICE') return 'not in service'
  if (held.has(node.id)) return 'with a replica'
  if (excluded.has(node.id)) return 'with a bad replica, or where it failed lately'
  if (!fits(node, request)) return 'too full'
  return node.incoming >= (request.maxIncoming ?? Infinity) ? 'busy' : 'usable'
}
