/** The parts that a completion names: checked, in order, joined. */

import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import { maxParts } from '../api/api.ts'
import type { OmCommand, PartSummary, UploadId } from '../api/api.ts'
import { contentOf, segmentsOf } from './content.ts'
import type { HeldContent } from './content.ts'
import type { Draft } from './draft.ts'
import { isRefusal } from './refusal.ts'
import { parts } from './rows/upload.ts'
import type { PartRow } from './rows/upload.ts'

export type NamedPart = Extract<OmCommand, { readonly kind: 'complete-upload' }>['parts'][number]

export interface NumberedPart {
  readonly number: number
  readonly row: PartRow
}

/** `InvalidPartOrder`, then `InvalidPart`, then `PartTooSmall`, as S3 does. */
export function findNamedParts(
  draft: Draft,
  upload: UploadId,
  named: readonly NamedPart[],
  minPartBytes: number,
): readonly NumberedPart[] | Refusal {
  const refusal = checkNumbers(named)
  if (refusal !== undefined) return refusal
  const keys = named.map(({ number }) => ({ upload, number }))
  const rows = draft.fetch(parts, keys)
  const found: NumberedPart[] = []
  for (const [index, name] of named.entries()) {
    const row = rows[index]
    if (row === undefined || !isSame(name, row)) return invalidPart(name.number)
    found.push({ number: name.number, row })
  }
  return checkSizes(found, minPartBytes) ?? found
}

function checkNumbers(named: readonly NamedPart[]): Refusal | undefined {
  if (named.length === 0) return refuse('InvalidPart', 'an upload is completed from one part at least')
  let last = -Infinity
  for (const { number } of named) {
    if (number <= last) return refuse('InvalidPartOrder', 'parts are named in ascending order')
    last = number
  }
  // In order and within these bounds there are no more than `maxParts`.
  const wrong = named.find(({ number }) => !(Number.isInteger(number) && number >= 1 && number <= maxParts))
  return wrong === undefined ? undefined : invalidPart(wrong.number)
}

function isSame(name: NamedPart, row: PartRow): boolean {
  return row.etag === name.etag && (name.checksum === undefined || name.checksum === row.checksum?.value)
}

function invalidPart(number: number): Refusal {
  return refuse('InvalidPart', 'a named part is not there, or is another one', { number })
}

function checkSizes(found: readonly NumberedPart[], minPartBytes: number): Refusal | undefined {
  const small = found.slice(0, -1).find(({ row }) => row.size < minPartBytes)
  if (small === undefined) return undefined
  const { size, etag } = small.row
  return refuse('PartTooSmall', 'a part but the last is too small', { number: small.number, size, etag, minPartBytes })
}

export interface JoinedParts extends HeldContent {
  readonly size: number
  readonly parts: readonly PartSummary[]
}

/** `TooManyEntries`. */
export function joinParts(named: readonly NumberedPart[]): JoinedParts | Refusal {
  const content = contentOf(named.flatMap(({ row }) => segmentsOf(row.content)))
  if (isRefusal(content)) return content
  return {
    content,
    shared: named.some(({ row }) => row.shared),
    size: named.reduce((size, { row }) => size + row.size, 0),
    parts: named.map(summaryOf),
  }
}

function summaryOf({ number, row: { size, checksum } }: NumberedPart): PartSummary {
  return checksum === undefined ? { number, size } : { number, size, checksum: checksum.value }
}
