/** Which closed containers are erasure-coded now, and where their shards go. */

import type { DatanodeId, EcPolicy } from '../../api/api.ts'
import { ecPolicyOf, ecShape, holdersOf } from './container-facts.ts'
import type { ContainerFacts } from './container-facts.ts'
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

export type EncodingPlan =
  | {
      readonly kind: 'encode'
      readonly policy: EcPolicy
      /** Has a good replica, reads it and writes the shards. */
      readonly encoder: DatanodeId
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
  const { data, parity } = ecShape[policy]
  const shardBytes = shardBytesOf(facts.liveBytes, policy)
  const placement = choosePlaces(
    {
      count: data + parity,
      total: data + parity,
      bytes: shardBytes,
      existing: [],
      excluded: context.avoid ?? [],
      maxIncoming: context.limits.maxIncoming,
    },
    context.topology,
    context.draw,
  )
  if (placement.kind === 'refused') return { ...placement, kind: 'blocked' }
  return { kind: 'encode', policy, encoder, targets: placement.places, shardBytes }
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

/** Deleted blocks of an encoded container take space until it is encoded without them; worth it when they are half of it. */
export function wantsEncodingAnew(facts: { readonly blocks: number; readonly deletedBlocks: number }): boolean {
  return facts.deletedBlocks > 0 && facts.deletedBlocks * 2 >= facts.blocks
}
