/** Which pipelines of three there are to be besides those that there are. */

import type { DatanodeId } from '../../api/api.ts'
import { takesWrites } from '../cluster-view.ts'
import type { ClusterNode, ClusterView } from '../cluster-view.ts'
import type { PipelineLimits } from './pipeline-life.ts'

const width = 3
/** Of a large cluster so many are looked at, for each pipeline: all pairs of them are compared. */
const mostCandidates = 36

interface Candidate {
  readonly id: DatanodeId
  readonly rack: string
  /** Pipelines that it is a member of, and those of them that it had better lead. */
  members: number
  leads: number
}

/**
 * Member lists, first the one that had better lead. Each takes three datanodes with the fewest pipelines, on as many racks as
 * there are, up to three; of those that are alike, three that are not together in another pipeline, for the loss of two of them
 * then stops fewer writers. A datanode that would be left without any gets one, with two that have one more than they should:
 * else a fourth that comes late would never be written to. Where `togetherAgain` is refused, there are none with the members
 * of another: while datanodes are still joining, the first three must not use up what they have among themselves. Deterministic.
 */
export function planNewPipelines(
  view: ClusterView,
  limits: Pick<PipelineLimits, 'pipelinesPerNode'>,
  togetherAgain: 'allowed' | 'refused',
): readonly (readonly DatanodeId[])[] {
  const candidates = candidatesOf(view)
  const sets = new Set<string>()
  for (const { row } of view.pipelines.values()) {
    if (row.kind === 'THREE' && row.state !== 'CLOSED') count(row.members, candidates, sets)
  }
  // All members in one rack are lost with it: rather none, where there is another rack.
  const fewestRacks = Math.min(2, racksOf([...candidates.values()]))
  const planned: (readonly DatanodeId[])[] = []
  for (;;) {
    const chosen =
      chooseThree(withFewer(limits.pipelinesPerNode, candidates), sets, fewestRacks) ??
      (hasIdle(candidates)
        ? chooseThree(withFewer(limits.pipelinesPerNode + 1, candidates), sets, fewestRacks)
        : undefined)
    if (chosen === undefined) return planned
    const members = chosen.toSorted((a, b) => a.leads - b.leads || order(a, b)).map(({ id }) => id)
    if (togetherAgain === 'refused' && sets.has(nameOf(members))) return planned
    count(members, candidates, sets)
    planned.push(members)
  }
}

function withFewer(pipelines: number, candidates: ReadonlyMap<DatanodeId, Candidate>): readonly Candidate[] {
  return [...candidates.values()].filter(({ members }) => members < pipelines)
}

/** The least used one is in every choice, so each choice leaves fewer of them. */
function hasIdle(candidates: ReadonlyMap<DatanodeId, Candidate>): boolean {
  return [...candidates.values()].some(({ members }) => members === 0)
}

/** Whether a new pipeline may be made with it: it answers, takes writes, can be reached by others, and speaks of pipelines. */
export function takesPipelines({ row, health, live }: ClusterNode): boolean {
  if (health !== 'HEALTHY' || row.operational !== 'IN_SERVICE' || row.address === undefined) return false
  return live?.pipelines !== undefined && takesWrites(live)
}

function candidatesOf(view: ClusterView): Map<DatanodeId, Candidate> {
  const found = [...view.nodes.values()].filter(takesPipelines)
  return new Map(found.map(({ id, row }) => [id, { id, rack: row.rack, members: 0, leads: 0 }]))
}

function count(members: readonly DatanodeId[], candidates: Map<DatanodeId, Candidate>, sets: Set<string>): void {
  for (const [n, id] of members.entries()) {
    const candidate = candidates.get(id)
    if (candidate === undefined) continue
    candidate.members++
    if (n === 0) candidate.leads++
  }
  sets.add(nameOf(members))
}

function chooseThree(
  free: readonly Candidate[],
  sets: ReadonlySet<string>,
  fewestRacks: number,
): readonly Candidate[] | undefined {
  if (free.length < width) return undefined
  const [anchor, ...others] = leastUsed(free)
  if (anchor === undefined) return undefined
  const racks = racksOf(free)
  if (racks < fewestRacks) return undefined
  let best: { readonly chosen: readonly Candidate[]; readonly cost: number } | undefined
  for (const [n, second] of others.entries()) {
    for (const third of others.slice(n + 1)) {
      const chosen = [anchor, second, third]
      const cost = costOf(chosen, Math.min(width, racks), sets)
      if (best === undefined || cost < best.cost) best = { chosen, cost }
    }
  }
  return best?.chosen
}

/** Racks come first, then members that are not together already, then little used ones. */
function costOf(chosen: readonly Candidate[], racks: number, sets: ReadonlySet<string>): number {
  const missingRacks = racks - racksOf(chosen)
  const isKnown = sets.has(nameOf(chosen.map(({ id }) => id))) ? 1 : 0
  const uses = chosen.reduce((sum, { members }) => sum + members, 0)
  return missingRacks * 1e6 + isKnown * 1e5 + uses
}

/** The least used of each rack in turn, so that no rack is missing among those that are looked at. */
function leastUsed(free: readonly Candidate[]): readonly Candidate[] {
  const sorted = free.toSorted((a, b) => a.members - b.members || order(a, b))
  const places = new Map<string, number>()
  const ranked = sorted.map((candidate) => {
    const place = places.get(candidate.rack) ?? 0
    places.set(candidate.rack, place + 1)
    return { candidate, place }
  })
  const some = ranked.toSorted((a, b) => a.place - b.place).slice(0, mostCandidates)
  return some.map(({ candidate }) => candidate).toSorted((a, b) => a.members - b.members || order(a, b))
}

function racksOf(candidates: readonly Candidate[]): number {
  return new Set(candidates.map(({ rack }) => rack)).size
}

function order(a: Candidate, b: Candidate): number {
  return a.id < b.id ? -1 : 1
}

function nameOf(members: readonly DatanodeId[]): string {
  return members.toSorted().join('\n')
}
