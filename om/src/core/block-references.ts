/**
 * Who names a block. It belongs to exactly one segment, or has a reference row that says how many name it.
 *
 * `shared` on a key or part is a hint on the safe side: while it is false, none of its blocks has such a row, so that
 * freeing them, the common case, reads nothing. It is set on both sides by the first copy and never taken back.
 */

import type { BlockId } from '@o3/scm/api'
import type { Segment } from '../api/api.ts'
import type { HeldContent } from './content.ts'
import type { Draft } from './draft.ts'
import { blockReferences } from './rows/block.ts'

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
