/** Whether the services that a gateway stands on answer. */

import type { Clock, Env } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { ProcessParts } from '../process/running-process.ts'

export interface Probe {
  readonly name: string
  /** Cheap, and answered by whoever leads. */
  readonly ask: () => Promise<unknown>
}

export interface ReachabilityParts extends Pick<ProcessParts, 'lifecycle'> {
  readonly env: Pick<Env, 'clock' | 'tasks'>
  readonly log: Logger
}

const everyMs = 1_000
/** Longer than an election and a restart: what passes by itself is no problem to tell of. */
const patienceMs = 5_000

/**
 * Asks each service again and again, because `/readyz` cannot wait for an answer that does not come. The function says
 * which has been silent for too long, in one sentence.
 */
export async function watchReachability(
  { env, lifecycle, log }: ReachabilityParts,
  probes: readonly Probe[],
): Promise<() => string | undefined> {
  const { clock, tasks } = env
  const watched = probes.map((probe) => ({ probe, answeredMs: clock.monotonicMs() }))
  const running = watched.map((entry) =>
    tasks.spawn(`reachability of ${entry.probe.name}`, async (signal) => {
      while (!signal.aborted) {
        try {
          await entry.probe.ask()
          entry.answeredMs = clock.monotonicMs()
        } catch (error) {
          log.warn({ service: entry.probe.name, error }, 'a service does not answer')
        }
        await pause(clock, signal)
      }
    }),
  )
  await lifecycle.start('reachability', {
    start: () => {},
    stop: () => {
      // One that waits for an answer ends when its client is closed, after this.
      for (const task of running) task.cancel()
    },
  })
  return () => {
    const nowMs = clock.monotonicMs()
    const silent = watched.find(({ answeredMs }) => nowMs - answeredMs > everyMs + patienceMs)
    return silent === undefined
      ? undefined
      : `${silent.probe.name} has not answered for ${Math.round((nowMs - silent.answeredMs) / 1000)} s`
  }
}

async function pause(clock: Clock, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(everyMs, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
