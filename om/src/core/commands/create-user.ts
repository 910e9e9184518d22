import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { checkUserName } from '../names.ts'
import { userOf } from '../records.ts'
import { users } from '../rows/user.ts'
import type { CommandOf } from './handler.ts'

/** `InvalidName`, `UserAlreadyExists`. */
export function createUser(draft: Draft, { user, admin }: CommandOf<'create-user'>): OmReply | Refusal {
  const refusal = checkUserName(user)
  if (refusal !== undefined) return refusal
  if (draft.get(users, user) !== undefined) return refuse('UserAlreadyExists', 'the user exists already')
  const row = { admin, enabled: true, createdMs: draft.stamp.wallMs, accessKeys: [] }
  draft.put(users, user, row)
  return { kind: 'user', user: userOf(user, row) }
}
