import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { findKeyPlace, keyNotFound, keyReply } from '../key.ts'
import { checkTexts } from '../limits.ts'
import { isRefusal } from '../refusal.ts'
import { changeLeaf } from '../rows/entry.ts'
import { putEntry } from '../tree.ts'
import type { CommandOf } from './handler.ts'

/**
 * Replaces all tags. The modification time stays: S3's Last-Modified is that of the bytes.
 * `BucketNotFound`, `InvalidName`, `KeyTooLong`, `TooLarge`, `InvalidArgument`, `KeyNotFound`.
 */
export function setKeyTags(draft: Draft, command: CommandOf<'set-key-tags'>): OmReply | Refusal {
  const { tags } = command
  const at = findKeyPlace(draft, command)
  if (isRefusal(at)) return at
  const refusal = checkTexts([], tags)
  if (refusal !== undefined) return refusal
  if (at.row === undefined) return keyNotFound(command.key)
  const row = changeLeaf(at.row, { attributes: { ...at.row.attributes, tags }, updateId: draft.stamp.sequence })
  putEntry(draft, at.place, row)
  return keyReply(row)
}
