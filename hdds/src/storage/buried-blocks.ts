import { SparseBits } from '../core/sparse-bits.ts'
import { decodeTombstone } from '../core/tombstone.ts'
import type { Container } from './container.ts'
import type { Pace } from './pace.ts'
import { readPayload } from './payload.ts'
import { RecordScanner } from './record-scanner.ts'

/**
 * The local ids that a tombstone in the container's file names. All that were ever deleted from it only where the file was
 * never rewritten: compaction drops tombstones, and a copy knows none of its source.
 */
export async function buriedBlocks(container: Container, pace: Pace, signal: AbortSignal): Promise<SparseBits> {
  const buried = new SparseBits()
  await container.settled()
  const { file: held, proof } = container.current
  const file = await held.acquire()
  try {
    const scanner = new RecordScanner({ file, name: held.name, proof, from: 0, to: container.ledger.usedBytes })
    for (let events = await scanner.next(); events.length > 0; events = await scanner.next()) {
      for (const event of events) {
        await pace.spend(event.to - event.from, signal)
        if (event.kind !== 'record' || event.header.kind !== 'tombstone') continue
        const payload = await readPayload(file, event.header, new Uint8Array(event.header.length))
        if (payload === undefined) continue // damage: the container is not reconciled
        for (const { first, count } of decodeTombstone(payload).runs) {
          for (let local = first; local < first + count; local++) buried.add(local)
        }
      }
    }
    return buried
  } finally {
    held.release()
  }
}
