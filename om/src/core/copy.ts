/** Content by reference: the blocks of a key become segments of another one too, and no byte moves. */

import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Content, NewContent, Segment } from '../api/api.ts'
import { addReferences } from './block-references.ts'
import { contentOf, lengthOf, segmentsOf, wrongSize } from './content.ts'
import type { HeldContent } from './content.ts'
import type { Draft } from './draft.ts'
import { findKeyPlace, keyNotFound } from './key.ts'
import { isCount } from './limits.ts'
import { isRefusal } from './refusal.ts'
import { changeLeaf } from './rows/entry.ts'
import { putEntry } from './tree.ts'

type CopyOf = Extract<NewContent, { kind: 'copy' }>
type Range = NonNullable<CopyOf['range']>

/**
 * `BucketNotFound`, `KeyNotFound`, `ConcurrentChange` when the source is not the row that the caller looked at,
 * `InvalidRange`, `InvalidArgument` when `size` is not that of the range.
 */
export function copyContent(draft: Draft, given: CopyOf, size: number): HeldContent | Refusal {
  const source = findKeyPlace(draft, given.source)
  if (isRefusal(source)) return source
  const { row } = source
  if (row === undefined) return keyNotFound(given.source.key)
  if (row.updateId !== given.sourceUpdateId) {
    return refuse('ConcurrentChange', 'the source of the copy has changed', { key: given.source.key })
  }
  const range = given.range ?? { offset: 0, length: row.size }
  if (!liesWithin(range, row.size)) return refuse('InvalidRange', 'the range lies outside the key', { size: row.size })
  if (range.length !== size) return wrongSize(size, range.length)

  const content = sliceContent(row.content, range)
  if (isRefusal(content)) return content
  if (content.kind === 'inline') return { content, shared: false }
  addReferences(draft, content.segments, row.shared)
  // What it held alone it now shares. Nothing that a reader sees of the source has changed.
  if (!row.shared) putEntry(draft, source.place, changeLeaf(row, { shared: true }))
  return { content, shared: true }
}

/** The bytes from `offset` on; the range lies within the content. */
function sliceContent(content: Content, { offset, length }: Range): Content | Refusal {
  const cut: Segment[] = []
  let start = 0
  for (const segment of segmentsOf(content)) {
    const end = start + lengthOf(segment)
    const from = Math.max(start, offset)
    const to = Math.min(end, offset + length)
    if (from < to) cut.push(sliceSegment(segment, from - start, to - from))
    start = end
  }
  return contentOf(cut)
}

function sliceSegment(segment: Segment, skip: number, length: number): Segment {
  if (segment.kind === 'inline') return { kind: 'inline', bytes: segment.bytes.slice(skip, skip + length) }
  return { ...segment, offset: segment.offset + skip, length }
}

function liesWithin({ offset, length }: Range, size: number): boolean {
  return isCount(offset) && isCount(length) && offset + length <= size
}
