/**
 * What planners see of the datanodes. Everything is a plain value of one moment: a plan is made of it and of nothing else, so
 * the same moment gives the same plan.
 */

import type { DatanodeId, DiskReport, NodeHealth, NodeOperationalState } from '../../api/api.ts'

/** One datanode, as a leader believes it to be. */
export interface NodeFacts {
  readonly id: DatanodeId
  /** `/rack` or `/room/rack`; racks with the same text are the same rack. */
  readonly rack: string
  readonly operational: NodeOperationalState
  readonly health: NodeHealth
  readonly disks: readonly DiskReport[]
  /** Promised to copies that are on their way here, and not yet missing in `disks`. */
  readonly reservedBytes: number
  /** Tasks under way that write here, and that read from here. */
  readonly incoming: number
  readonly outgoing: number
}

/** All datanodes, and what is worth counting once for many plans. */
export interface Topology {
  readonly nodes: ReadonlyMap<DatanodeId, NodeFacts>
  /** Racks with a datanode that is in service and not dead: what replicas can be spread over. */
  readonly racks: number
  /** Share of the space in use over all datanodes that take copies; 0 … 1. */
  readonly meanUsedShare: number
}

/** Counts once. The order of `nodes` does not matter. */
export function topologyOf(nodes: Iterable<NodeFacts>): Topology {
  const byId = new Map<DatanodeId, NodeFacts>()
  const racks = new Set<string>()
  let totalBytes = 0
  let usedBytes = 0
  for (const node of nodes) {
    byId.set(node.id, node)
    if (node.operational === 'IN_SERVICE' && node.health !== 'DEAD') racks.add(node.rack)
    if (!takesCopies(node)) continue
    const space = spaceOf(node)
    totalBytes += space.totalBytes
    usedBytes += space.totalBytes - space.availableBytes
  }
  return { nodes: byId, racks: racks.size, meanUsedShare: totalBytes === 0 ? 0 : usedBytes / totalBytes }
}

/** Copies are sent only to a datanode that answers and that nobody wants to take away. */
export function takesCopies(node: NodeFacts): boolean {
  return node.operational === 'IN_SERVICE' && node.health === 'HEALTHY'
}

export interface Space {
  readonly totalBytes: number
  /** After what is promised to copies on their way. */
  readonly availableBytes: number
  /** On the one disk that has most. */
  readonly largestBytes: number
}

/** Over the disks that have not failed. A full disk counts with its size: its datanode is full, not small. */
export function spaceOf(node: NodeFacts): Space {
  let totalBytes = 0
  let availableBytes = 0
  let largestBytes = 0
  for (const disk of node.disks) {
    if (disk.state === 'failed') continue
    totalBytes += disk.totalBytes
    if (disk.state === 'full') continue
    availableBytes += disk.availableBytes
    largestBytes = Math.max(largestBytes, disk.availableBytes)
  }
  return { totalBytes, availableBytes: Math.max(0, availableBytes - node.reservedBytes), largestBytes }
}

/** 1 without disks: there is nothing to give. */
export function usedShareOf(node: NodeFacts): number {
  const { totalBytes, availableBytes } = spaceOf(node)
  return totalBytes === 0 ? 1 : 1 - availableBytes / totalBytes
}

/** A container lies on one disk, so the sum alone does not say that it fits. */
export function hasRoomFor(node: NodeFacts, bytes: number): boolean {
  const { availableBytes, largestBytes } = spaceOf(node)
  return availableBytes >= bytes && largestBytes >= bytes
}

/** How many of `total` replicas a rack may have when they are spread as evenly as the racks allow. */
export function maxPerRack(total: number, racks: number): number {
  return Math.ceil(total / Math.max(1, racks))
}

/**
 * How many of them may stay in one rack. Of three replicas, two: then no rack has all, and that a pipeline's third rack was full
 * or gone is no reason to move everything that was written through it. New replicas go to a third rack all the same.
 */
export function toleratedPerRack(total: number, racks: number): number {
  return racks > 1 ? Math.max(maxPerRack(total, racks), Math.min(total - 1, 2)) : total
}

/**
 * How badly the replicas at `holders` lie: one for each that is beyond what its rack may have, and, because a datanode dies
 * more often than a rack, `total` for each that shares its datanode with another. 0 is as it should be.
 */
export function misplacement(
  holders: readonly DatanodeId[],
  total: number,
  topology: Topology,
  limit = maxPerRack(total, topology.racks),
): number {
  const perRack = new Map<string, number>()
  for (const holder of holders) {
    const rack = topology.nodes.get(holder)?.rack
    if (rack !== undefined) perRack.set(rack, (perRack.get(rack) ?? 0) + 1)
  }
  let found = (holders.length - new Set(holders).size) * total
  for (const count of perRack.values()) found += Math.max(0, count - limit)
  return found
}
