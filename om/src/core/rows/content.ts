/** Where bytes are, as it stands inside the rows of keys and parts. */

import type { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { Content, Segment } from '../../api/api.ts'

const inlineContent = 0
const blocksContent = 1

const inlineSegment = 0
const blockSegment = 1

export function writeContent(writer: ByteWriter, content: Content): void {
  if (content.kind === 'inline') writer.u8(inlineContent).bytes(content.bytes)
  else writer.u8(blocksContent).list(content.segments, writeSegment)
}

export function readContent(reader: ByteReader): Content {
  const kind = reader.u8()
  if (kind === inlineContent) return { kind: 'inline', bytes: reader.bytes() }
  if (kind === blocksContent) return { kind: 'blocks', segments: reader.list(readSegment) }
  throw new StoreError('Damaged', `content has the unknown kind ${kind}`)
}

function writeSegment(writer: ByteWriter, segment: Segment): void {
  if (segment.kind === 'inline') {
    writer.u8(inlineSegment).bytes(segment.bytes)
    return
  }
  const { block, offset, length } = segment
  writer.u8(blockSegment).varint(block.container).varint(block.local).varint(offset).varint(length)
}

function readSegment(reader: ByteReader): Segment {
  const kind = reader.u8()
  if (kind === inlineSegment) return { kind: 'inline', bytes: reader.bytes() }
  if (kind !== blockSegment) throw new StoreError('Damaged', `a segment has the unknown kind ${kind}`)
  const block = { container: reader.varint(), local: reader.varint() }
  return { kind: 'block', block, offset: reader.varint(), length: reader.varint() }
}
