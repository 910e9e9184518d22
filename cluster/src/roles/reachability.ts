/** Whether the services that a gateway stands on answer. */

import type { Env } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { ProcessParts } from '../process/running-process.ts'
import { eachSecond, patienceMs } from './each-second.ts'

export interface Probe {
  readonly name: string
  /** Cheap, and answered by whoever leads. */
  readonly ask: () => Promise<unknown>
}

export interface ReachabilityParts extends Pick<ProcessParts, 'lifecycle'> {
  readonly env: Pick<Env, 'clock' | 'tasks'>
  readonly log: Logger
}

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
    tasks.spawn(`reachability of ${entry.probe.name}`, (signal) =>
      eachSecond(clock, signal, async () => {
        try {
          await entry.probe.ask()
          entry.answeredMs = clock.monotonicMs()
        } catch (error) {
          log.warn({ service: entry.probe.name, error }, 'a service does not answer')
        }
      }),
    ),
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
    const silent = watched.find(({ answeredMs }) => nowMs - answeredMs > patienceMs)
    return silent === undefined
      ? undefined
      : `${silent.probe.name} has not answered for ${Math.round((nowMs - silent.answeredMs) / 1000)} s`
  }
}
