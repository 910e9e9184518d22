import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { accessKeys, owners, users } from '../rows/user.ts'
import { userNotFound } from '../user.ts'
import { done } from './handler.ts'
import type { CommandOf } from './handler.ts'

/** `UserNotFound`, `UserInUse` while it owns a volume or a bucket. Its access keys go with it. */
export function deleteUser(draft: Draft, { user }: CommandOf<'delete-user'>): OmReply | Refusal {
  const row = draft.get(users, user)
  if (row === undefined) return userNotFound(user)
  const owned = draft.get(owners, user)
  if (owned !== undefined) return refuse('UserInUse', 'the user still owns volumes or buckets', { owned })
  for (const id of row.accessKeys) draft.remove(accessKeys, id)
  draft.remove(users, user)
  return done
}
