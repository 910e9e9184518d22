/** Blocks of leases becoming blocks of keys, and leases ending. */

import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { BlockId, BlockRange } from '@o3/scm/api'
import { maxExtentsPerKey } from '../api/api.ts'
import type { Extent, Lease, LeaseId, Segment } from '../api/api.ts'
import { wrongSize } from './content.ts'
import type { HeldContent } from './content.ts'
import type { Draft } from './draft.ts'
import { isRefusal } from './refusal.ts'
import { hasBit } from './rows/bits.ts'
import { leases } from './rows/lease.ts'
import type { LeaseRow } from './rows/lease.ts'

interface LeasedPiece {
  readonly lease: LeaseId
  readonly extents: readonly Extent[]
}

const empty: HeldContent = { content: { kind: 'inline', bytes: new Uint8Array(0) }, shared: false }

/**
 * Takes the blocks out of their leases. `LeaseExpired` when a lease is over, or a block is not of it or was committed
 * before; `InvalidArgument` when the extents are not `size` bytes together; `TooManyEntries`.
 */
export function commitLeased(draft: Draft, pieces: readonly LeasedPiece[], size: number): HeldContent | Refusal {
  const segments: Segment[] = []
  let found = 0
  for (const { lease, extents } of pieces) {
    const refusal = commitBlocks(draft, lease, extents)
    if (refusal !== undefined) return refusal
    for (const { block, length } of extents) {
      if (!(Number.isSafeInteger(length) && length > 0)) return wrongSize(size, length)
      segments.push({ kind: 'block', block, offset: 0, length })
      found += length
    }
  }
  if (found !== size) return wrongSize(size, found)
  if (segments.length > maxExtentsPerKey) {
    return refuse('TooManyEntries', `a key has at most ${maxExtentsPerKey} extents`)
  }
  return segments.length === 0 ? empty : { content: { kind: 'blocks', segments }, shared: false }
}

function commitBlocks(draft: Draft, id: LeaseId, extents: readonly Extent[]): Refusal | undefined {
  const lease = liveLease(draft, id)
  if (isRefusal(lease)) return lease
  const committed = lease.committed.slice()
  for (const { block } of extents) {
    const index = indexInRanges(lease.ranges, block)
    if (index === -1 || hasBit(committed, index)) return leaseExpired(id)
    committed[index >>> 3] = (committed[index >>> 3] as number) | (1 << (index & 7))
  }
  draft.put(leases, id, { ...lease, committed })
  return undefined
}

/** `LeaseExpired`, whether it ran out, was ended, or never was. */
export function liveLease(draft: Draft, id: LeaseId): LeaseRow | Refusal {
  const lease = draft.get(leases, id)
  return lease === undefined || lease.expiresMs <= draft.stamp.wallMs ? leaseExpired(id) : lease
}

function leaseExpired(lease: LeaseId): Refusal {
  return refuse('LeaseExpired', 'the block is not under a lease any more', { lease })
}

function indexInRanges(ranges: readonly BlockRange[], block: BlockId): number {
  let before = 0
  for (const { container, firstLocal, count } of ranges) {
    const at = block.local - firstLocal
    if (container === block.container && at >= 0 && at < count) return before + at
    before += count
  }
  return -1
}

/** Frees what was not committed and forgets the lease. */
export function endLease(draft: Draft, id: LeaseId, lease: LeaseRow): void {
  for (const range of uncommitted(lease)) draft.free(range)
  draft.remove(leases, id)
}

/** The blocks of the lease that no key or part took, as few ranges as possible within each of its own. */
export function* uncommitted(lease: LeaseRow): Generator<BlockRange> {
  let before = 0
  for (const { container, firstLocal, count } of lease.ranges) {
    let start = 0
    for (let i = 0; i <= count; i++) {
      if (i < count && !hasBit(lease.committed, before + i)) continue
      if (i > start) yield { container, firstLocal: firstLocal + start, count: i - start }
      start = i + 1
    }
    before += count
  }
}

export function leaseOf(id: LeaseId, { holder, expiresMs, replication, ranges }: LeaseRow): Lease {
  return { id, holder, expiresMs, replication, ranges }
}
