import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { findKeyPlace, removeKey } from '../key.ts'
import { judgeWrite } from '../preconditions.ts'
import { isRefusal } from '../refusal.ts'
import type { CommandOf } from './handler.ts'

/** `BucketNotFound`, `InvalidName`, `KeyTooLong`, `PreconditionFailed`, `KeyNotFound` (If-Match). */
export function deleteKey(draft: Draft, command: CommandOf<'delete-key'>): OmReply | Refusal {
  const at = findKeyPlace(draft, command)
  if (isRefusal(at)) return at
  const refusal = judgeWrite(command.preconditions, at.row)
  if (refusal !== undefined) return refusal
  if (at.row !== undefined) removeKey(draft, at)
  return { kind: 'deleted', existed: at.row !== undefined }
}
