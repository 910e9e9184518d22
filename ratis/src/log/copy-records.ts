import { damaged } from './damage.ts'
import { RecordScanner } from './record-scanner.ts'
import { alignToBlock, recordBytes, writeRecord, type LogEntry } from './record.ts'
import type { OpenSegment } from './segment-roll.ts'

const chunkBytes = 1024 * 1024

/**
 * Writes the entries that `from` holds from the first index of `to` on into `to`, which is new. They are verified as they
 * are read: throws `Damaged` when they are not what they were. Not synced.
 */
export async function copyRecords(from: OpenSegment, to: OpenSegment): Promise<void> {
  const { firstIndex } = to.info
  const { lastIndex, path, seed } = from.info
  const scanner = new RecordScanner(from.file, seed, from.info.startFor(firstIndex))
  while ((await scanner.next(firstIndex - 1, chunkBytes)).length > 0);
  while (scanner.index <= lastIndex) {
    const entries = await scanner.next(lastIndex, chunkBytes)
    if (entries.length === 0) throw damaged(path, scanner.offset, `the record of index ${scanner.index} is gone`)
    await writeBatch(to, entries)
  }
  to.info.lastIndex = lastIndex
}

async function writeBatch({ info, file }: OpenSegment, entries: readonly LogEntry[]): Promise<void> {
  const length = entries.reduce((sum, { payload }) => sum + recordBytes(payload.length), 0)
  const bytes = new Uint8Array(alignToBlock(length))
  const target = { bytes, view: new DataView(bytes.buffer) }
  let at = 0
  for (const entry of entries) {
    info.mark(entry.index, info.endOffset + at)
    at = writeRecord(target, at, entry, { seed: info.seed, floor: info.firstIndex - 1 })
  }
  await file.write([bytes], info.endOffset)
  info.endOffset += bytes.length
}
