import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { accessKeys } from '../rows/user.ts'
import { accessKeyNotFound } from '../user.ts'
import type { CommandOf } from './handler.ts'

/** `AccessKeyNotFound`. */
export function updateAccessKey(draft: Draft, { id, enabled }: CommandOf<'update-access-key'>): OmReply | Refusal {
  const row = draft.get(accessKeys, id)
  if (row === undefined) return accessKeyNotFound(id)
  draft.put(accessKeys, id, { ...row, enabled })
  return { kind: 'access-key', id }
}
