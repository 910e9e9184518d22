import { assert } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { accessKeys, users } from '../rows/user.ts'
import { accessKeyNotFound } from '../user.ts'
import { done } from './handler.ts'
import type { CommandOf } from './handler.ts'

/** `AccessKeyNotFound`. */
export function deleteAccessKey(draft: Draft, { id }: CommandOf<'delete-access-key'>): OmReply | Refusal {
  const row = draft.get(accessKeys, id)
  if (row === undefined) return accessKeyNotFound(id)
  const user = draft.get(users, row.user)
  assert(user !== undefined, 'an access key belongs to a user')
  draft.remove(accessKeys, id)
  draft.put(users, row.user, { ...user, accessKeys: user.accessKeys.filter((each) => each !== id) })
  return done
}
