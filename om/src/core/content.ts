/**
 * Where a key's bytes are: taken from a lease, shared with another key, joined from parts, given up.
 *
 * A block belongs to exactly one segment, or has a reference row that says how many segments name it. `shared` on a key
 * or part is a hint on the safe side: while it is false, none of its blocks has such a row, so that freeing them, the
 * common case, reads nothing. It is set on both sides by the first copy and never taken back.
 */

import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { BlockId } from '@o3/scm/api'
import { inlineLimitBytes, maxExtentsPerKey, maxInlineSegmentBytes } from '../api/api.ts'
import type { Content, NewContent, Segment } from '../api/api.ts'
import { copyContent } from './copy.ts'
import type { Draft } from './draft.ts'
import { commitLeased } from './lease.ts'
import { blockReferences } from './rows/block.ts'

/** Bytes, and whether they may be in blocks that others name too. */
export interface HeldContent {
  readonly content: Content
  readonly shared: boolean
}

/**
 * Takes hold of new content of `size` bytes. `InvalidArgument` when it is not that long, `TooLarge`, and what leases
 * (`LeaseExpired`) and copies (`KeyNotFound`, `ConcurrentChange`, `InvalidRange`) refuse.
 */
export function acquireContent(draft: Draft, given: NewContent, size: number): HeldContent | Refusal {
  switch (given.kind) {
    case 'inline':
      return acquireInline(given.bytes, size)
    case 'leased':
      return commitLeased(draft, [given], size)
    case 'leased-many':
      return commitLeased(draft, given.pieces, size)
    case 'copy':
      return copyContent(draft, given, size)
  }
}

function acquireInline(bytes: Uint8Array, size: number): HeldContent | Refusal {
  if (bytes.length !== size) return wrongSize(size, bytes.length)
  if (size > inlineLimitBytes) return refuse('TooLarge', `at most ${inlineLimitBytes} bytes ride in a row`)
  return { content: { kind: 'inline', bytes: kept(bytes) }, shared: false }
}

/** The row lives in a cache: a small slice must not keep the network buffer alive that it was cut from. */
function kept(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength > 2 * bytes.length + 1024 ? bytes.slice() : bytes
}

export function wrongSize(size: number, found: number): Refusal {
  return refuse('InvalidArgument', 'the content is not as long as it says', { size, found })
}

/** Gives the content up: blocks that no other segment names are freed. */
export function releaseContent(draft: Draft, { content, shared }: HeldContent): void {
  if (content.kind === 'inline') return
  if (shared) fetchReferences(draft, content.segments)
  for (const segment of content.segments) {
    if (segment.kind === 'block') releaseBlock(draft, segment.block, shared)
  }
}

function releaseBlock(draft: Draft, block: BlockId, shared: boolean): void {
  const references = shared ? draft.get(blockReferences, block) : undefined
  if (references === undefined) draft.freeBlock(block)
  else if (references === 2) draft.remove(blockReferences, block)
  else draft.put(blockReferences, block, references - 1)
}

/** One more segment names each of these blocks. */
export function addReferences(draft: Draft, segments: readonly Segment[], sharedBefore: boolean): void {
  if (sharedBefore) fetchReferences(draft, segments)
  for (const segment of segments) {
    if (segment.kind !== 'block') continue
    const references = sharedBefore ? draft.get(blockReferences, segment.block) : undefined
    draft.put(blockReferences, segment.block, (references ?? 1) + 1)
  }
}

function fetchReferences(draft: Draft, segments: readonly Segment[]): void {
  draft.fetch(
    blockReferences,
    segments.flatMap((segment) => (segment.kind === 'block' ? [segment.block] : [])),
  )
}

export function lengthOf(segment: Segment): number {
  return segment.kind === 'inline' ? segment.bytes.length : segment.length
}

/** As segments, none of them empty. */
export function segmentsOf(content: Content): readonly Segment[] {
  if (content.kind === 'blocks') return content.segments
  return content.bytes.length === 0 ? [] : [{ kind: 'inline', bytes: content.bytes }]
}

/** The simplest content of these segments. `TooManyEntries` when there are too many, or too many bytes inline. */
export function contentOf(segments: readonly Segment[]): Content | Refusal {
  if (segments.length > maxExtentsPerKey) {
    return refuse('TooManyEntries', `a key has at most ${maxExtentsPerKey} extents`)
  }
  let inlineBytes = 0
  let blocks = 0
  for (const segment of segments) {
    if (segment.kind === 'inline') inlineBytes += segment.bytes.length
    else blocks++
  }
  if (inlineBytes > maxInlineSegmentBytes) {
    return refuse('TooManyEntries', `at most ${maxInlineSegmentBytes} bytes of a key ride in its row`)
  }
  if (blocks === 0 && inlineBytes <= inlineLimitBytes)
    return { kind: 'inline', bytes: joinInline(segments, inlineBytes) }
  return { kind: 'blocks', segments }
}

function joinInline(segments: readonly Segment[], size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  let at = 0
  for (const segment of segments) {
    if (segment.kind !== 'inline') continue
    bytes.set(segment.bytes, at)
    at += segment.bytes.length
  }
  return bytes
}
