import type { Clock } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'

/** Background work that compares what is with what should be, and may begin anew at any time. */
export interface Reconciler {
  readonly name: string
  /** One bounded step. Answers whether there is more to do at once. */
  round(): Promise<'idle' | 'more'>
}

export interface ReconcilerOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Between two rounds when there is nothing to do. */
  readonly intervalMs: number
}

/** Doubles with every failure from the interval on, up to this. */
const maxPauseMs = 60_000

/**
 * Runs rounds until `signal` aborts. An operating failure (SCM away, disk full) is logged and the round tried again,
 * later and later; anything else is a bug and ends the task.
 */
export async function runReconciler(
  reconciler: Reconciler,
  { clock, log, intervalMs }: ReconcilerOptions,
  signal: AbortSignal,
): Promise<void> {
  let pauseMs = intervalMs
  while (!signal.aborted) {
    try {
      const outcome = await reconciler.round()
      pauseMs = intervalMs
      if (outcome === 'more') continue
    } catch (error) {
      if (!isStoreError(error)) throw error
      if (signal.aborted) return
      log.warn({ reconciler: reconciler.name, error, pauseMs }, 'a round failed; it is tried again')
      await clock.sleep(pauseMs, signal)
      pauseMs = Math.min(pauseMs * 2, maxPauseMs)
      continue
    }
    await clock.sleep(pauseMs, signal)
  }
}
