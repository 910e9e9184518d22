import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { endLease as end } from '../lease.ts'
import { leases } from '../rows/lease.ts'
import { done } from './handler.ts'
import type { CommandOf } from './handler.ts'

/** Never refuses: a lease that is not there has ended. */
export function endLease(draft: Draft, { lease: id }: CommandOf<'end-lease'>): OmReply {
  const lease = draft.get(leases, id)
  if (lease !== undefined) end(draft, id, lease)
  return done
}
