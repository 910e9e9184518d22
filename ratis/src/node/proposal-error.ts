import { StoreError, type StoreErrorCode } from '@o3/common/errors'
import type { Raft, Refused } from '../core/raft.ts'

/** Who is not the leader says who is, and in which term, as far as it knows. */
export function notLeader(core: Pick<Raft, 'leader' | 'term' | 'configuration'>): StoreError {
  const { leader, term } = core
  if (leader === undefined) return new StoreError('NotLeader', 'the group has no leader that this member knows of')
  const address = core.configuration.addresses[leader]
  const details = address === undefined ? { leader, term } : { leader, term, address }
  return new StoreError('NotLeader', `${leader} leads the group`, { details })
}

const refusals = {
  'not-leader': ['NotLeader', 'this member does not lead'],
  transferring: ['Busy', 'leadership is being handed over'],
  full: ['Busy', 'too much waits to be committed'],
  'change-under-way': ['Busy', 'another change of the group is under way'],
  'invalid-change': ['InvalidArgument', 'this is no change that the group could make'],
  'not-caught-up': ['Busy', 'a new voter has not caught up yet'],
  'unfit-target': ['Unavailable', 'there is no voter that could lead now'],
} as const satisfies Record<Refused, readonly [StoreErrorCode, string]>

export function refusalError(reason: Refused, core: Pick<Raft, 'leader' | 'term' | 'configuration'>): StoreError {
  if (reason === 'not-leader') return notLeader(core)
  const [code, message] = refusals[reason]
  return new StoreError(code, message, { details: { reason } })
}
