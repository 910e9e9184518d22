import { StoreError } from '@o3/common/errors'
import type { SnapshotDifference } from '@o3/protocol-bus/api'
import type { RequestOf } from '../core/calls.ts'
import { decode } from '../core/codec.ts'
import { snapshotDifference } from '../core/records.ts'
import { runHeadBytes } from '../core/runs.ts'
import type { Wire } from './wire.ts'

/** As they come; leaving the loop ends the call. */
export async function* readDifferences(
  wire: Wire,
  request: RequestOf<'snapshots.diff.1'>,
): AsyncGenerator<SnapshotDifference> {
  const { body } = await wire.carry('snapshots.diff.1', request, {})
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of body ?? []) {
    rest = rest.length === 0 ? Buffer.from(piece) : Buffer.concat([rest, piece])
    let at = 0
    while (rest.length - at >= runHeadBytes) {
      const end = at + runHeadBytes + rest.readUInt32LE(at)
      if (end > rest.length) break
      yield decode(snapshotDifference, rest.subarray(at + runHeadBytes, end))
      at = end
    }
    rest = rest.subarray(at)
  }
  if (rest.length > 0) throw new StoreError('IncompleteBody', 'the differences broke off')
}
