import type { DiskOperation } from './disk-faults.ts'
import type { SimRandom } from './sim-random.ts'

/** How long one operation takes, in milliseconds. */
export type DiskLatency = (operation: {
  readonly kind: DiskOperation
  readonly bytes: number
  readonly random: SimRandom
}) => number

const syncing: ReadonlySet<DiskOperation> = new Set(['sync', 'syncDirectory'])

/** A disk of 200 MB/s: some 0.1 ms for an operation, 1 to 5 ms for a sync, and one in a hundred takes 20 times as long. */
export function diskLatency(): DiskLatency {
  return ({ kind, bytes, random }) => {
    const baseMs = syncing.has(kind) ? 1 + 4 * random.fraction() : 0.05 + 0.1 * random.fraction()
    const tail = random.chance(0.01) ? 20 : 1
    return baseMs * tail + bytes / 200_000
  }
}
