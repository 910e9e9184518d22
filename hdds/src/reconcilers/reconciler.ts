import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'

/** One concern that is brought back to where it should be, round by round. */
export interface Reconciler {
  readonly name: string
  /** One round. An operating failure is logged, and the next round tries again. */
  run(signal: AbortSignal): Promise<void>
  /** Until the next round. */
  pauseMs(): number
}

/** Rounds until the signal aborts; it then rejects with the signal's reason, as a task does. */
export async function runReconciler(
  reconciler: Reconciler,
  parts: { readonly clock: Clock; readonly log: Logger },
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await reconciler.run(signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof StoreError)) throw error
      parts.log.warn({ reconciler: reconciler.name, error }, 'a round failed; the next one tries again')
    }
    await parts.clock.sleep(reconciler.pauseMs(), signal)
  }
}
