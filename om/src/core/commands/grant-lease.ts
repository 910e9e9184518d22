import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { BlockRange } from '@o3/scm/api'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { leaseOf } from '../lease.ts'
import { checkTexts, isCount, maxBlocksPerLease } from '../limits.ts'
import { noBits } from '../rows/bits.ts'
import { leases } from '../rows/lease.ts'
import type { CommandOf } from './handler.ts'

/** `InvalidArgument` (duration, ranges, holder), `TooLarge` (holder), `TooManyEntries` (blocks). The blocks must be fresh from SCM. */
export function grantLease(draft: Draft, command: CommandOf<'grant-lease'>): OmReply | Refusal {
  const { holder, durationMs, replication, ranges } = command
  if (!isCount(durationMs) || !ranges.every(isRange)) return refuse('InvalidArgument', 'not a duration, or not ranges')
  const wrong = checkTexts([holder])
  if (wrong !== undefined) return wrong
  const count = ranges.reduce((blocks, range) => blocks + range.count, 0)
  if (count > maxBlocksPerLease) return refuse('TooManyEntries', `a lease has at most ${maxBlocksPerLease} blocks`)

  const { sequence, wallMs } = draft.stamp
  const row = { holder, expiresMs: wallMs + durationMs, replication, ranges, committed: noBits(count) }
  draft.put(leases, sequence, row)
  return { kind: 'lease', lease: leaseOf(sequence, row) }
}

function isRange({ container, firstLocal, count }: BlockRange): boolean {
  return isCount(container) && isCount(firstLocal) && isCount(count)
}
