import type { DiskFile, Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import { unknownIndex } from './hard-state.ts'
import {
  alignRecord,
  alignToBlock,
  blockBytes,
  recordFloorAt,
  recordHeaderBytes,
  recordIndexAt,
  recordLengthAt,
  sightRecord,
  type Bytes,
} from './record.ts'
import { firstRecordOffset } from './segment-header.ts'
import type { Segment } from './segment.ts'

const windowBytes = 256 * blockBytes

/**
 * The highest index of any record of this segment that verifies, wherever it stands in the file; `unknownIndex` when the
 * file cannot be read. 0: none.
 */
export async function highestIndex(env: Env, segment: Segment): Promise<LogIndex> {
  try {
    return await search(env, segment)
  } catch (error) {
    if (isStoreError(error, 'Damaged')) return unknownIndex
    throw error
  }
}

async function search(env: Env, segment: Segment): Promise<LogIndex> {
  const file = await env.disk.open(segment.path, 'read')
  try {
    const size = await file.size()
    let highest = 0
    let start = firstRecordOffset
    let window = await windowAt(file, start, windowBytes)
    for (let at = start; at < size;) {
      let sight = sightRecord(window, at - start, segment.seed)
      if (sight === 'beyond') {
        start = at
        window = await windowOfRecord(file, at, segment)
        sight = sightRecord(window, 0, segment.seed)
      }
      if (sight === 'record') highest = Math.max(highest, recordIndexAt(window.view, at - start))
      // What does not verify has no length that could be believed; the next batch starts on a block.
      at = sight === 'record' ? alignRecord(at + recordLengthAt(window.view, at - start)) : alignToBlock(at + 1)
    }
    return highest
  } finally {
    await file.close()
  }
}

/** A window that holds the whole record at `at`, if there may be one. */
async function windowOfRecord(file: DiskFile, at: number, segment: Segment): Promise<Bytes> {
  const window = await windowAt(file, at, windowBytes)
  if (window.bytes.length < windowBytes) return window
  const length = recordLengthAt(window.view, 0)
  const index = recordIndexAt(window.view, 0)
  // Most long lengths are payload of an earlier use of the file: before so much is read, the rest must make sense.
  const size = await file.size()
  const mayBe = length <= size - at && index >= segment.firstIndex && recordFloorAt(window.view, 0) < index
  const isPlausible = mayBe && index < segment.firstIndex + size / recordHeaderBytes
  return isPlausible && length > windowBytes ? windowAt(file, at, length) : window
}

async function windowAt(file: DiskFile, at: number, length: number): Promise<Bytes> {
  const bytes = new Uint8Array(Math.max(0, Math.min(length, (await file.size()) - at)))
  await file.read(bytes, at)
  return { bytes, view: new DataView(bytes.buffer) }
}
