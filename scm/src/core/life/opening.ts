/** Of a container that takes blocks: when it is to take no more. */

import type { ContainerReport } from '../../api/api.ts'
import type { ContainerFacts } from './replicas.ts'
import { changeTo, nothing } from './plan.ts'
import type { ContainerPlan } from './plan.ts'

export interface OpenLimits {
  readonly containerBytes: number
  /** An open container with this much garbage, as a share of what was written, is closed so that space can come back. */
  readonly garbageShare: number
  /** Below this size garbage is not worth a container. */
  readonly garbageFloorBytes: number
  /** Blocks of an open container with several replicas are not deleted; with this many deletions waiting, it is closed. */
  readonly closeAfterDeletions: number
  /** Also when one of them has waited so long. */
  readonly closeAfterDeletionMs: number
}

export function planOpen(facts: ContainerFacts, limits: OpenLimits): ContainerPlan {
  return shouldClose(facts, limits)
    ? changeTo({ kind: 'transition-container', container: facts.container.id, to: 'CLOSING' })
    : nothing
}

function shouldClose({ container, row, pipeline, held, nowMs }: ContainerFacts, limits: OpenLimits): boolean {
  const reports = held.flatMap(({ report }) => report ?? [])
  // Whoever encodes closes the shards.
  if (row.shardOf !== undefined) return reports.some(({ state }) => state !== 'OPEN')
  if (reports.some((report) => isFull(report, limits))) return true
  // Only what is closed can be copied elsewhere. A pipeline closes as a whole.
  if (row.pipeline === undefined) return held.some(({ isLeaving }) => isLeaving)
  if (pipeline?.row.state !== 'OPEN') return true
  if (container.pendingDeletions >= limits.closeAfterDeletions) return true
  const { deletingSinceMs } = container
  return deletingSinceMs !== undefined && nowMs - deletingSinceMs >= limits.closeAfterDeletionMs
}

function isFull(report: ContainerReport, limits: OpenLimits): boolean {
  // A datanode closes by itself what it can no longer write, for instance after damage.
  if (report.state !== 'OPEN' || report.usedBytes >= limits.containerBytes) return true
  const garbageBytes = report.usedBytes - report.liveBytes
  return garbageBytes >= limits.garbageFloorBytes && garbageBytes >= report.usedBytes * limits.garbageShare
}
