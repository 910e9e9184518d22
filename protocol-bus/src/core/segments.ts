/** Which pieces of a key's content a range of it touches. */

import type { Content, Segment } from '@o3/om/api'
import type { ByteRange } from './range.ts'

/** The segments of `range`, cut to it, in order. */
export function segmentsOf(content: Content, range: ByteRange): readonly Segment[] {
  if (content.kind === 'inline') return [{ kind: 'inline', bytes: content.bytes.subarray(range.start, range.end) }]
  const cut: Segment[] = []
  let start = 0
  for (const segment of content.segments) {
    const length = lengthOf(segment)
    const from = Math.max(range.start - start, 0)
    const to = Math.min(range.end - start, length)
    if (from < to) cut.push(slice(segment, from, to))
    start += length
    if (start >= range.end) break
  }
  return cut
}

function lengthOf(segment: Segment): number {
  return segment.kind === 'inline' ? segment.bytes.length : segment.length
}

function slice(segment: Segment, from: number, to: number): Segment {
  if (segment.kind === 'inline') return { kind: 'inline', bytes: segment.bytes.subarray(from, to) }
  if (from === 0 && to === segment.length) return segment
  return { kind: 'block', block: segment.block, offset: segment.offset + from, length: to - from }
}
