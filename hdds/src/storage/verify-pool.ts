/**
 * Checksums of large reads, proven on another core. A megabyte costs 0.2 to 0.4 ms: on the event loop that was two fifths
 * of a large GET, and held up everybody else. The bytes are in shared memory, so nothing is copied or moved.
 */

import { Piscina } from 'piscina'

export interface VerifyTask {
  readonly units: Uint8Array
  readonly checksums: readonly number[]
  readonly firstUnit: number
}

/** Proves units elsewhere. */
export interface UnitVerifier {
  /** Resolves with the first unit that does not match, or −1. `task.units` is shared memory and must not change meanwhile. */
  verify(task: VerifyTask): Promise<number>
  close(): Promise<void>
}

/** One thread, started now. What waits for it is bounded by the readers: two pieces each. */
export function openVerifyPool(): UnitVerifier {
  const pool = new Piscina<VerifyTask, number>({
    filename: new URL('./verify-worker.ts', import.meta.url).href,
    name: 'verify',
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: 16,
  })
  return { verify: (task) => pool.run(task), close: () => pool.close({ force: true }) }
}
