import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import { maxParts } from '../../api/api.ts'
import type { OmReply } from '../../api/api.ts'
import { releaseContent } from '../block-references.ts'
import { acquireContent } from '../new-content.ts'
import type { Draft } from '../draft.ts'
import { checkAttributes } from '../limits.ts'
import { isRefusal } from '../refusal.ts'
import { withBit } from '../rows/bits.ts'
import { parts, uploadProgress } from '../rows/upload.ts'
import { findUpload, progressOf, uploadNotFound } from '../upload.ts'
import { charge } from '../usage.ts'
import type { CommandOf } from './handler.ts'

/**
 * A part counts as used bytes from now on: else uploads that are never completed would pass every quota.
 * `BucketNotFound`, `InvalidName`, `KeyTooLong`, `UploadNotFound`, `InvalidArgument` (number, ETag), `TooLarge` (ETag), what its content refuses
 * (core/new-content.ts), `QuotaExceeded`.
 */
export function commitPart(draft: Draft, command: CommandOf<'commit-part'>): OmReply | Refusal {
  const { number, size, etag, checksum } = command
  const found = findUpload(draft, command)
  if (isRefusal(found)) return found
  if (found.row === undefined) return uploadNotFound(command.upload)
  if (!(Number.isInteger(number) && number >= 1 && number <= maxParts)) {
    return refuse('InvalidArgument', `part numbers go from 1 to ${maxParts}`, { number })
  }

  const wrong = checkAttributes('', checksum === undefined ? { etag } : { etag, checksum })
  if (wrong !== undefined) return wrong

  const partKey = { upload: command.upload, number }
  const before = draft.get(parts, partKey)
  const held = acquireContent(draft, command.content, size)
  if (isRefusal(held)) return held
  const bytes = size - (before?.size ?? 0)
  const refusal = charge(draft, found.bucket, { bytes, keys: 0 })
  if (refusal !== undefined) return refusal

  const { wallMs } = draft.stamp
  const progress = progressOf(draft, command.upload)
  draft.put(parts, partKey, { size, etag, modifiedMs: wallMs, checksum, ...held })
  draft.put(uploadProgress, command.upload, { bytes: progress.bytes + bytes, parts: withBit(progress.parts, number) })
  if (before !== undefined) releaseContent(draft, before)
  return { kind: 'part', etag, modifiedMs: wallMs }
}
