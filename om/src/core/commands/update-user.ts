import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { userOf } from '../records.ts'
import { users } from '../rows/user.ts'
import { userNotFound } from '../user.ts'
import type { CommandOf } from './handler.ts'

/** `UserNotFound`. */
export function updateUser(draft: Draft, command: CommandOf<'update-user'>): OmReply | Refusal {
  const before = draft.get(users, command.user)
  if (before === undefined) return userNotFound(command.user)
  const { admin = before.admin, enabled = before.enabled } = command
  const row = { ...before, admin, enabled }
  draft.put(users, command.user, row)
  return { kind: 'user', user: userOf(command.user, row) }
}
