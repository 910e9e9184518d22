import type { Clock } from '@o3/common/env'

const everyMs = 1_000

/** Runs `act` again and again, with a pause of a second between, until the signal; what `act` rejects with ends it. */
export async function eachSecond(clock: Clock, signal: AbortSignal, act: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await act()
    try {
      await clock.sleep(everyMs, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}

/** Longer than an election and a restart, and a pause: what passes by itself is no problem to tell of. */
export const patienceMs = everyMs + 5_000
