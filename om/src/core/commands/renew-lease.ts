import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { leaseOf, liveLease } from '../lease.ts'
import { isCount } from '../limits.ts'
import { isRefusal } from '../refusal.ts'
import { leases } from '../rows/lease.ts'
import type { CommandOf } from './handler.ts'

/** From now on, and never to an earlier end. `InvalidArgument` (duration), `LeaseExpired`: what is over stays over. */
export function renewLease(draft: Draft, { lease: id, durationMs }: CommandOf<'renew-lease'>): OmReply | Refusal {
  if (!isCount(durationMs)) return refuse('InvalidArgument', 'not a duration')
  const lease = liveLease(draft, id)
  if (isRefusal(lease)) return lease
  const row = { ...lease, expiresMs: Math.max(lease.expiresMs, draft.stamp.wallMs + durationMs) }
  draft.put(leases, id, row)
  return { kind: 'lease', lease: leaseOf(id, row) }
}
