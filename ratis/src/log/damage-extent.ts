import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import { unknownIndex } from './hard-state.ts'
import { alignRecord, alignToBlock, blockBytes, recordIndexAt, recordLengthAt, sightRecord } from './record.ts'
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
    let window = new Uint8Array(0)
    let view = new DataView(window.buffer)
    const load = async (from: number, length: number): Promise<void> => {
      window = new Uint8Array(Math.min(length, size - from))
      view = new DataView(window.buffer)
      start = from
      await file.read(window, from)
    }
    for (let at = start; at < size;) {
      let sight = sightRecord({ bytes: window, view }, at - start, segment.seed)
      if (sight === 'beyond') {
        await load(at, windowBytes)
        // Longer than a window; a length that no file could hold is none.
        if (window.length >= 4 && recordLengthAt(view, 0) > window.length) await load(at, recordLengthAt(view, 0))
        sight = sightRecord({ bytes: window, view }, 0, segment.seed)
      }
      if (sight === 'record') {
        highest = Math.max(highest, recordIndexAt(view, at - start))
        at = alignRecord(at + recordLengthAt(view, at - start))
      } else at = alignToBlock(at + 1)
    }
    return highest
  } finally {
    await file.close()
  }
}
