import { expect } from 'vitest'
import type { Clock } from '../env.ts'

/** Polls a condition; ten seconds are enough for anything that a test waits for. */
export async function until(clock: Clock, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = clock.monotonicMs() + 10_000
  while (!(await isSo())) {
    expect(clock.monotonicMs(), 'the condition never came true').toBeLessThan(deadlineMs)
    await clock.sleep(2)
  }
}
