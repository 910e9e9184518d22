import type { Env, Task } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { OmConfig } from '../config.ts'
import type { Leadership } from '@o3/ratis/leadership'
import type { KeyRing } from '@o3/scm/tokens'
import { runReconciler } from './reconciler.ts'
import type { Reconciler } from './reconciler.ts'

export interface ReconcilersParts {
  readonly env: Env
  readonly log: Logger
  readonly config: OmConfig
  readonly leadership: Leadership
  readonly reconcilers: readonly Reconciler[]
  /** SCM's secret keys: kept fresh whether the member leads or not, so that it has them when it begins to. */
  readonly keys: Pick<KeyRing, 'run'>
}

/** Runs all reconcilers of a member of OM as tasks; they rest while it does not lead. Start after the store, stop before it. */
export class Reconcilers {
  private readonly parts: ReconcilersParts
  private tasks: readonly Task[] = []

  constructor(parts: ReconcilersParts) {
    this.parts = parts
  }

  start(): void {
    const { env, log, config, leadership, reconcilers, keys } = this.parts
    const options = { clock: env.clock, log, intervalMs: config.reconcileIntervalMs, leadership }
    this.tasks = [
      env.tasks.spawn('secret keys', (signal) => keys.run(signal)),
      ...reconcilers.map((reconciler) =>
        env.tasks.spawn(reconciler.name, (signal) => runReconciler(reconciler, options, signal)),
      ),
    ]
  }

  /** Resolves when the rounds under way have ended. Idempotent. */
  async stop(): Promise<void> {
    const { tasks } = this
    this.tasks = []
    for (const task of tasks) task.cancel()
    await Promise.all(tasks.map((task) => task.done))
  }
}
