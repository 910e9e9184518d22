/** Decides, from the rows and the last reports, which containers to close and which to delete. Pure. */

import type { ContainerId, ContainerReport, ContainerState } from '../api/api.ts'
import type { ContainerRow } from './tables.ts'

export interface ContainerFacts {
  readonly id: ContainerId
  readonly row: ContainerRow
  /** One per replica that reported; a replica that never reported, or is gone, is missing here. */
  readonly reports: readonly ContainerReport[]
  /** Deletions of this container's blocks that are not yet acknowledged. */
  readonly pendingDeletions: boolean
  /** Every replica's datanode has sent a full report since SCM started: absence in `reports` means absence. */
  readonly fullyReported: boolean
}

export interface ContainerLimits {
  readonly containerBytes: number
  /** An open container with this much garbage, as a share of what was written, is closed so that space can come back. */
  readonly garbageShare: number
  /** Below this size garbage is not worth a container. */
  readonly garbageFloorBytes: number
}

export interface Transition {
  readonly container: ContainerId
  readonly to: ContainerState
}

/** At most one step per container and round; the next report triggers the next. */
export function planTransition(facts: ContainerFacts, limits: ContainerLimits): Transition | undefined {
  const to = nextState(facts, limits)
  return to === undefined ? undefined : { container: facts.id, to }
}

function nextState(facts: ContainerFacts, limits: ContainerLimits): ContainerState | undefined {
  const { row, reports } = facts
  switch (row.state) {
    case 'OPEN':
      return reports.some((report) => isFull(report, limits)) ? 'CLOSING' : undefined
    case 'CLOSING':
      return hasAllReplicas(facts) && reports.every((report) => report.state === 'CLOSED') ? 'CLOSED' : undefined
    case 'CLOSED':
      return hasAllReplicas(facts) && reports.every(isEmpty) && !facts.pendingDeletions ? 'DELETING' : undefined
    case 'DELETING':
      return facts.fullyReported && reports.length === 0 ? 'DELETED' : undefined
    case 'QUASI_CLOSED':
    case 'DELETED':
      return undefined
  }
}

function isFull(report: ContainerReport, limits: ContainerLimits): boolean {
  // A datanode closes by itself what it can no longer write, for instance after damage.
  if (report.state !== 'OPEN' || report.usedBytes >= limits.containerBytes) return true
  const garbageBytes = report.usedBytes - report.liveBytes
  return garbageBytes >= limits.garbageFloorBytes && garbageBytes >= report.usedBytes * limits.garbageShare
}

/** A closed container takes no more blocks, so empty once is empty for ever. */
function isEmpty(report: ContainerReport): boolean {
  return report.state === 'CLOSED' && report.blockCount === 0
}

function hasAllReplicas(facts: ContainerFacts): boolean {
  return facts.reports.length === facts.row.datanodes.length
}
