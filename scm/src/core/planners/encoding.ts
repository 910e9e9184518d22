/** Which closed containers are erasure-coded now, the first time or anew without what was deleted, and where their shards go. */

import type { ContainerState, DatanodeId, EcPolicy } from '../../api/api.ts'
import type { ContainerRow } from '../tables.ts'
import { ecPolicyOf, ecShape, holdersOf } from './container-facts.ts'
import type { ContainerFacts, EcGroupFacts } from './container-facts.ts'
import type { GroupAssessment } from './erasure-plan.ts'
import { choosePlaces } from './placement.ts'
import type { PlacementRefusal } from './placement.ts'
import { freeSources } from './replication-plan.ts'
import type { PlanContext } from './replication-plan.ts'
import type { Assessment } from './replication-health.ts'

export interface EncodingFacts {
  readonly container: ContainerFacts
  readonly found: Assessment
  /** Since it was closed, as far as is known. */
  readonly closedForMs: number
  readonly liveBytes: number
}

export interface EncodingLimits {
  /** Time for the deletion of what was only written to be deleted, and for reads of what is new. */
  readonly encodeAfterMs: number
}

export interface AnewLimits {
  /** With so much of its blocks deleted, by count, an encoded container is encoded anew. */
  readonly anewShare: number
  /** After its datanode found the bytes too few: so much more, of its blocks or of what was deleted by then. */
  readonly anewStep: number
}

export type EncodingPlan =
  | {
      readonly kind: 'encode'
      readonly policy: EcPolicy
      /** Has a good replica, or one of the shards; reads it, with the others of `sources`, and writes the new shards. */
      readonly encoder: DatanodeId
      readonly sources: readonly DatanodeId[]
      /** In the order of the code. */
      readonly targets: readonly DatanodeId[]
      readonly shardBytes: number
    }
  /** Nothing to do for it, or not yet. */
  | { readonly kind: 'not-now'; readonly why: 'not-erasure-coded' | 'young' | 'changing' | 'unhealthy' | 'empty' }
  | { readonly kind: 'blocked'; readonly refusal: PlacementRefusal; readonly message: string }

/**
 * Only what is at rest: closed for a while, no deletion under way, no copy, all replicas there and alike. Fewer datanodes than
 * shards is a reason to leave it replicated: two shards on one datanode would be worse than what it has.
 */
export function planEncoding(facts: EncodingFacts, limits: EncodingLimits, context: PlanContext): EncodingPlan {
  const { container, found } = facts
  const policy = ecPolicyOf(container.replication)
  if (policy === undefined) return { kind: 'not-now', why: 'not-erasure-coded' }
  if (container.state !== 'CLOSED' || container.pendingDeletions) return { kind: 'not-now', why: 'changing' }
  if (container.arriving.length + container.leaving.length > 0) return { kind: 'not-now', why: 'changing' }
  if (found.health !== 'HEALTHY' || !areKnownAlike(found)) return { kind: 'not-now', why: 'unhealthy' }
  if (facts.liveBytes === 0) return { kind: 'not-now', why: 'empty' }
  if (facts.closedForMs < limits.encodeAfterMs) return { kind: 'not-now', why: 'young' }
  const [encoder] = freeSources(found.good.readable, context)
  if (encoder === undefined) {
    const message = 'every datanode with a good replica has enough to do'
    return { kind: 'blocked', refusal: 'busy', message }
  }
  return placed({ policy, encoder, sources: [encoder], shardBytes: shardBytesOf(facts.liveBytes, policy) }, context)
}

export interface AnewFacts {
  readonly state: ContainerState
  readonly group: EcGroupFacts
  readonly found: GroupAssessment
  /** Of the blocks that it has, those that stay; 0 … 1. What the shards will take follows from it. */
  readonly stayingShare: number
}

/**
 * Out of as many shards as it takes, while all are at rest where they can be relied on: what is missing is made first, and a place
 * that could be better is no reason to wait. The new shards go where they would go if there were none yet.
 */
export function planEncodingAnew(facts: AnewFacts, context: PlanContext): EncodingPlan {
  const { group, found, stayingShare } = facts
  if (facts.state !== 'CLOSED') return { kind: 'not-now', why: 'changing' }
  if (!found.shards.every(({ worth }) => worth === 'solid')) return { kind: 'not-now', why: 'unhealthy' }
  const { policy } = group
  const { data } = ecShape[policy]
  const holders = found.shards.flatMap(({ good }) => good.readable.slice(0, 1))
  const sources = freeSources(holders, { ...context, limits: { ...context.limits, maxSources: data } })
  const [encoder] = sources
  if (encoder === undefined || sources.length < data) {
    const message = 'too many datanodes with shards have enough to do'
    return { kind: 'blocked', refusal: 'busy', message }
  }
  const shardBytes = Math.ceil(group.shardBytes * stayingShare) + cellBytes
  return placed({ policy, encoder, sources, shardBytes }, context)
}

function placed(
  asked: Pick<Extract<EncodingPlan, { kind: 'encode' }>, 'policy' | 'encoder' | 'sources' | 'shardBytes'>,
  context: PlanContext,
): EncodingPlan {
  const { data, parity } = ecShape[asked.policy]
  const placement = choosePlaces(
    {
      count: data + parity,
      total: data + parity,
      bytes: asked.shardBytes,
      existing: [],
      excluded: context.avoid ?? [],
      maxIncoming: context.limits.maxIncoming,
    },
    context.topology,
    context.draw,
  )
  if (placement.kind === 'refused') return { ...placement, kind: 'blocked' }
  return { ...asked, kind: 'encode', targets: placement.places }
}

/** Here a hash that is not known yet is a reason to wait: what is encoded becomes the only truth. */
function areKnownAlike(found: Assessment): boolean {
  const hashes = new Set(found.good.solid.map(({ contentHash }) => contentHash))
  return hashes.size === 1 && !hashes.has(undefined) && holdersOf(found.good.solid).length > 0
}

const cellBytes = 1024 * 1024

/** Of one shard, with a cell for the directory. */
export function shardBytesOf(liveBytes: number, policy: EcPolicy): number {
  return (Math.ceil(liveBytes / (ecShape[policy].data * cellBytes)) + 1) * cellBytes
}

export interface DeletedShare {
  readonly blocks: number
  readonly deletedBlocks: number
  /** As many were deleted when a datanode last found it not worth it. */
  readonly declinedAt?: number | undefined
}

/** Deleted blocks of an encoded container take space until it is encoded without them; worth it when they are about half of it. */
export function wantsEncodingAnew({ blocks, deletedBlocks, declinedAt }: DeletedShare, limits: AnewLimits): boolean {
  if (deletedBlocks === 0 || deletedBlocks < blocks * limits.anewShare) return false
  if (declinedAt === undefined) return true
  // Ids that were never written are deleted too, when their lease ends: there may be many more of them than there are blocks.
  return deletedBlocks - declinedAt >= Math.max(1, Math.max(blocks, declinedAt) * limits.anewStep)
}

/** In its shards. Where an earlier release made them, no more than were ever handed out. */
export function encodedBlocks({ ec, nextLocal }: Pick<ContainerRow, 'ec' | 'nextLocal'>): number {
  return ec?.blocks ?? nextLocal - 1
}
