/** When a leader has heard enough to hand out blocks, and to have copies made of what is missing. */

import type { SafemodeStatus } from '../api/api.ts'
import type { ClusterNode } from './cluster-view.ts'

export interface SafemodeLimits {
  /** After so long it does with fewer datanodes than are known, if those make a pipeline. */
  readonly safemodeGraceMs: number
  /** After so long it does with those that there are. */
  readonly safemodeLimitMs: number
  /** After so long copies of what is missing are made, whoever has not been heard. */
  readonly repairAfterMs: number
}

export interface SafemodeFacts {
  readonly nodes: Iterable<Pick<ClusterNode, 'id' | 'row' | 'health' | 'live'>>
  /** How long this member has been listening: one that followed for long has nothing to wait for. */
  readonly listeningMs: number
  /** An administrator has said so. */
  readonly isExited: boolean
}

/** As many datanodes as make a pipeline, where there are so many. */
const fewest = 3

/**
 * A datanode is accounted for when it has registered here, or when it has been silent for so long, while this member listened,
 * that it counts as dead. Those that are out of service are not waited for.
 */
export function safemodeOf({ nodes, listeningMs, isExited }: SafemodeFacts, limits: SafemodeLimits): SafemodeStatus {
  const known = [...nodes].filter(({ row }) => row.operational === 'IN_SERVICE')
  const missing = known.filter(({ live, health }) => live === undefined && health !== 'DEAD')
  const heard = known.filter(({ live, health }) => live !== undefined && health !== 'DEAD')
  const isComplete = missing.length === 0
  const enough = Math.min(fewest, known.length)
  const isBearable = listeningMs >= limits.safemodeGraceMs && heard.length >= enough
  const isOver = isExited || isComplete || isBearable || listeningMs >= limits.safemodeLimitMs
  return {
    on: !isOver,
    reasons: isOver ? [] : [`${missing.length} of ${known.length} datanodes in service have not registered yet`],
    repairs: isComplete || isExited || listeningMs >= limits.repairAfterMs,
  }
}
