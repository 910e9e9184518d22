/** Where a key's bytes are, as a list of segments: measured, joined, made as simple as they are. */

import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import { inlineLimitBytes, maxExtentsPerKey, maxInlineSegmentBytes } from '../api/api.ts'
import type { Content, Segment } from '../api/api.ts'

/** Bytes, and whether they may be in blocks that others name too. */
export interface HeldContent {
  readonly content: Content
  readonly shared: boolean
}

export function wrongSize(size: number, found: number): Refusal {
  return refuse('InvalidArgument', 'the content is not as long as it says', { size, found })
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
