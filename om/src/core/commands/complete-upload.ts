import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import { maxParts } from '../../api/api.ts'
import type { OmReply, PartSummary } from '../../api/api.ts'
import { fingerprintOf, rememberCompletion } from '../completed-uploads.ts'
import { contentOf, segmentsOf } from '../content.ts'
import type { HeldContent } from '../content.ts'
import type { Draft } from '../draft.ts'
import { keyReply, locateKey, replaceKey } from '../key.ts'
import { judgeWrite } from '../preconditions.ts'
import { isRefusal } from '../refusal.ts'
import type { LeafRow } from '../rows/entry.ts'
import { completedUploads, parts } from '../rows/upload.ts'
import type { PartRow, UploadRow } from '../rows/upload.ts'
import { endUpload, findUpload, progressOf, uploadNotFound } from '../upload.ts'
import type { FoundUpload } from '../upload.ts'
import { charge } from '../usage.ts'
import type { CommandOf } from './handler.ts'

type CompleteUpload = CommandOf<'complete-upload'>
interface NumberedPart {
  readonly number: number
  readonly row: PartRow
}

/**
 * Joins the named parts in order; what the others hold becomes garbage. The repetition of a completion, naming the same
 * parts, is answered as before, for as long as core/completed-uploads.ts remembers; its `etag`, `checksum` and
 * preconditions are not looked at.
 *
 * `BucketNotFound`, `InvalidName`, `KeyTooLong`, `UploadNotFound`, `InvalidPartOrder`, `InvalidPart`, `PartTooSmall`,
 * `TooManyEntries` (extents, inline bytes), `PreconditionFailed`, `KeyNotFound` (If-Match), `QuotaExceeded` (keys).
 */
export function completeUpload(draft: Draft, command: CompleteUpload): OmReply | Refusal {
  const found = findUpload(draft, command)
  if (isRefusal(found)) return found
  if (found.row === undefined) return repeated(draft, found, command) ?? uploadNotFound(command.upload)
  const named = namedParts(draft, command)
  if (isRefusal(named)) return named
  const held = joined(named)
  if (isRefusal(held)) return held

  const at = locateKey(draft, found.bucket, found.key.key)
  const row = keyRow(draft, command, found.row, named, held)
  const uploaded = progressOf(draft, command.upload).bytes
  const refusal =
    judgeWrite(command.preconditions, at.row) ??
    // First what goes: the bytes of the parts must not stand in the way of the key that they become.
    charge(draft, found.bucket, { bytes: -uploaded, keys: 0, uploads: -1 }) ??
    replaceKey(draft, at, row)
  if (refusal !== undefined) return refusal
  endUpload(draft, found.key, new Set(named.map(({ number }) => number)))
  remember(draft, found, command, row)
  return keyReply(row)
}

/** `InvalidPartOrder`, then `InvalidPart`, then `PartTooSmall`, as S3 does. */
function namedParts(draft: Draft, command: CompleteUpload): readonly NumberedPart[] | Refusal {
  const { upload, parts: named, minPartBytes } = command
  if (named.length === 0 || named.length > maxParts) {
    return refuse('InvalidPart', `an upload is completed from 1 to ${maxParts} parts`)
  }
  for (let i = 1; i < named.length; i++) {
    if ((named[i] as { number: number }).number <= (named[i - 1] as { number: number }).number) {
      return refuse('InvalidPartOrder', 'parts are named in ascending order')
    }
  }
  if (named.some(({ number }) => !(Number.isInteger(number) && number >= 1 && number <= maxParts)))
    return invalidPart(0)
  draft.fetch(
    parts,
    named.map(({ number }) => ({ upload, number })),
  )
  const found: NumberedPart[] = []
  for (const { number, etag, checksum } of named) {
    const row = draft.get(parts, { upload, number })
    if (row === undefined || row.etag !== etag) return invalidPart(number)
    if (checksum !== undefined && checksum !== row.checksum?.value) return invalidPart(number)
    found.push({ number, row })
  }
  return tooSmall(found, minPartBytes) ?? found
}

function invalidPart(number: number): Refusal {
  return refuse('InvalidPart', 'a named part is not there, or is another one', { number })
}

function tooSmall(found: readonly NumberedPart[], minPartBytes: number): Refusal | undefined {
  const small = found.slice(0, -1).find(({ row }) => row.size < minPartBytes)
  if (small === undefined) return undefined
  const { size, etag } = small.row
  return refuse('PartTooSmall', 'a part but the last is too small', { number: small.number, size, etag, minPartBytes })
}

function joined(named: readonly NumberedPart[]): HeldContent | Refusal {
  const content = contentOf(named.flatMap(({ row }) => segmentsOf(row.content)))
  if (isRefusal(content)) return content
  return { content, shared: named.some(({ row }) => row.shared) }
}

function keyRow(
  draft: Draft,
  { etag, checksum }: CompleteUpload,
  upload: UploadRow,
  named: readonly NumberedPart[],
  held: HeldContent,
): LeafRow {
  return {
    kind: 'leaf',
    size: named.reduce((size, { row }) => size + row.size, 0),
    modifiedMs: draft.stamp.wallMs,
    owner: upload.owner,
    updateId: draft.stamp.sequence,
    attributes: checksum === undefined ? { ...upload.attributes, etag } : { ...upload.attributes, etag, checksum },
    shared: held.shared,
    content: held.content,
    parts: named.map(summaryOf),
  }
}

function summaryOf({ number, row: { size, checksum } }: NumberedPart): PartSummary {
  return checksum === undefined ? { number, size } : { number, size, checksum: checksum.value }
}

function remember(draft: Draft, { key }: FoundUpload, command: CompleteUpload, row: LeafRow): void {
  const { size, modifiedMs, updateId } = row
  rememberCompletion(draft, command.upload, {
    bucket: key.bucket,
    key: key.key,
    fingerprint: fingerprintOf(command.parts),
    etag: row.attributes.etag,
    modifiedMs,
    updateId,
    size,
  })
}

function repeated(draft: Draft, { key }: FoundUpload, command: CompleteUpload): OmReply | undefined {
  const before = draft.get(completedUploads, command.upload)
  if (before === undefined || before.bucket !== key.bucket || before.key !== key.key) return undefined
  if (before.fingerprint !== fingerprintOf(command.parts)) return undefined
  const { etag, modifiedMs, updateId, size } = before
  return { kind: 'key', etag, modifiedMs, updateId, size }
}
