import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import { findBucket } from '../bucket.ts'
import { acquireContent } from '../new-content.ts'
import type { Draft } from '../draft.ts'
import { keyReply, locateKey, replaceKey } from '../key.ts'
import { checkAttributes } from '../limits.ts'
import { binaryKeyName } from '../names.ts'
import { judgeWrite } from '../preconditions.ts'
import { isRefusal } from '../refusal.ts'
import type { LeafRow } from '../rows/entry.ts'
import type { CommandOf } from './handler.ts'

/**
 * `BucketNotFound`, `InvalidName`, `KeyTooLong`, `TooLarge` (attributes, inline bytes), `InvalidArgument` (attributes), what its content refuses
 * (core/new-content.ts: `LeaseExpired`, `InvalidArgument`, `TooManyEntries`, and for a copy `KeyNotFound`, `ConcurrentChange`,
 * `InvalidRange`), `PreconditionFailed`, `KeyNotFound` (If-Match), `QuotaExceeded`.
 */
export function commitKey(draft: Draft, command: CommandOf<'commit-key'>): OmReply | Refusal {
  const { attributes, owner, size } = command
  const bucket = findBucket(draft, command)
  if (isRefusal(bucket)) return bucket
  const name = binaryKeyName(command.key)
  if (isRefusal(name)) return name
  const refusal = checkAttributes(owner, attributes)
  if (refusal !== undefined) return refusal

  // Before the key is located: a copy of a key onto itself changes the row that is then replaced.
  const held = acquireContent(draft, command.content, size)
  if (isRefusal(held)) return held
  const at = locateKey(draft, bucket, name)
  const { wallMs, sequence } = draft.stamp
  const row: LeafRow = {
    kind: 'leaf',
    size,
    modifiedMs: wallMs,
    owner,
    updateId: sequence,
    attributes,
    shared: held.shared,
    content: held.content,
    parts: undefined,
  }
  return judgeWrite(command.preconditions, at.row) ?? replaceKey(draft, at, row) ?? keyReply(row)
}
