import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import { recallCompletion, rememberCompletion } from '../completed-uploads.ts'
import type { Draft } from '../draft.ts'
import { keyReply, locateKey, replaceKey } from '../key.ts'
import { checkAttributes } from '../limits.ts'
import { findNamedParts, joinParts } from '../named-parts.ts'
import { judgeWrite } from '../preconditions.ts'
import { isRefusal } from '../refusal.ts'
import type { LeafRow } from '../rows/entry.ts'
import { endUpload, findUpload, progressOf, uploadNotFound } from '../upload.ts'
import type { CommandOf } from './handler.ts'

/**
 * Joins the named parts in order; what the others hold becomes garbage. The repetition of a completion, naming the same
 * parts, is answered as before, for as long as core/completed-uploads.ts remembers; its `etag`, `checksum` and
 * preconditions are not looked at.
 *
 * `BucketNotFound`, `InvalidName`, `KeyTooLong`, `UploadNotFound`, `InvalidPartOrder`, `InvalidPart`, `PartTooSmall`,
 * `TooManyEntries` (extents, inline bytes), `TooLarge`, `InvalidArgument` (ETag), `PreconditionFailed`, `KeyNotFound`
 * (If-Match), `QuotaExceeded` (keys: the bytes were counted with the parts).
 */
export function completeUpload(draft: Draft, command: CommandOf<'complete-upload'>): OmReply | Refusal {
  const { upload, etag, checksum } = command
  const found = findUpload(draft, command)
  if (isRefusal(found)) return found
  if (found.row === undefined) return recallCompletion(draft, found.key, command.parts) ?? uploadNotFound(upload)
  const named = findNamedParts(draft, upload, command.parts, command.minPartBytes)
  if (isRefusal(named)) return named
  const joined = joinParts(named)
  if (isRefusal(joined)) return joined

  const { owner, attributes } = found.row
  const row: LeafRow = {
    kind: 'leaf',
    owner,
    modifiedMs: draft.stamp.wallMs,
    updateId: draft.stamp.sequence,
    attributes: checksum === undefined ? { ...attributes, etag } : { ...attributes, etag, checksum },
    ...joined,
  }
  const at = locateKey(draft, found.bucket, found.key.key)
  const refusal =
    checkAttributes(owner, row.attributes) ??
    judgeWrite(command.preconditions, at.row) ??
    replaceKey(draft, at, row, progressOf(draft, upload))
  if (refusal !== undefined) return refusal
  endUpload(draft, found.key, new Set(named.map(({ number }) => number)))
  rememberCompletion(draft, found.key, command.parts, row)
  return keyReply(row)
}
