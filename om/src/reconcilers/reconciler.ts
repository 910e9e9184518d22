import type { Clock } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { Term } from '@o3/ratis/api'

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
  /** Rounds are run in the terms in which this member leads. */
  readonly leadership: { readonly term: Term | undefined }
}

/** Doubles with every failure from the interval on, up to this. */
const maxPauseMs = 60_000

/**
 * Runs rounds until `signal` aborts, while this member leads: a follower only looks, at every interval, whether it does. An
 * operating failure (SCM away, disk full) is logged and the round tried again, later and later; a new term begins without
 * the failures of the one before. Anything else is a bug and ends the task.
 */
export async function runReconciler(
  reconciler: Reconciler,
  options: ReconcilerOptions,
  signal: AbortSignal,
): Promise<void> {
  const { clock, intervalMs, leadership } = options
  let failedTerm: Term | undefined
  let pauseMs = intervalMs
  while (!signal.aborted) {
    const { term } = leadership
    if (term !== failedTerm) pauseMs = intervalMs
    const outcome = term === undefined ? 'idle' : await roundIn(term, { reconciler, options, pauseMs, signal })
    if (outcome === 'more') continue
    if (term === undefined || outcome === 'idle') {
      failedTerm = undefined
      await clock.sleep(intervalMs, signal)
    } else {
      failedTerm = term
      await sleepWithin(term, { options, pauseMs, signal })
      pauseMs = Math.min(pauseMs * 2, maxPauseMs)
    }
  }
}

interface Circumstances {
  readonly options: ReconcilerOptions
  readonly pauseMs: number
  readonly signal: AbortSignal
}

async function roundIn(
  term: Term,
  { reconciler, options, pauseMs, signal }: Circumstances & { readonly reconciler: Reconciler },
): Promise<'idle' | 'more' | 'failed'> {
  const { log, leadership } = options
  try {
    return await reconciler.round()
  } catch (error) {
    if (!isStoreError(error)) throw error
    if (signal.aborted) return 'idle'
    // The end of a term is no failure: what was not done, or perhaps was, is found by the rounds of the next leader. And who
    // was just elected is refused until it has applied what its predecessors committed.
    if (leadership.term !== term || isStoreError(error, 'NotLeader')) return 'idle'
    log.warn({ reconciler: reconciler.name, error, pauseMs }, 'a round failed; it is tried again')
    return 'failed'
  }
}

/** Ends early when the term does: in the next one this member leads, the first round does not wait for an old failure. */
async function sleepWithin(term: Term, { options, pauseMs, signal }: Circumstances): Promise<void> {
  const { clock, intervalMs, leadership } = options
  for (let leftMs = pauseMs; leftMs > 0 && leadership.term === term; leftMs -= intervalMs) {
    await clock.sleep(Math.min(leftMs, intervalMs), signal)
  }
}
