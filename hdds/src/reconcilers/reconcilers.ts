import type { Env, Task } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { TaskRegistry } from '../service/tasks.ts'
import type { KeyRing } from '@o3/scm/tokens'
import type { Reconciler } from './reconciler.ts'
import { runReconciler } from './reconciler.ts'

export interface ReconcilersParts {
  readonly env: Env
  readonly log: Logger
  readonly reconcilers: readonly Reconciler[]
  /** What commands have begun; it ends with the rounds. */
  readonly tasks?: TaskRegistry
  /** SCM's secret keys, kept fresh. */
  readonly keys: Pick<KeyRing, 'run'>
}

/** Runs all reconcilers of a datanode as tasks. Start after the datanode and SCM, stop before them. */
export class Reconcilers {
  private readonly parts: ReconcilersParts
  private tasks: readonly Task[] = []

  constructor(parts: ReconcilersParts) {
    this.parts = parts
  }

  start(): void {
    const { env, log, reconcilers, keys } = this.parts
    this.tasks = [
      env.tasks.spawn('secret keys', (signal) => keys.run(signal)),
      ...reconcilers.map((reconciler) =>
        env.tasks.spawn(reconciler.name, (signal) => runReconciler(reconciler, { clock: env.clock, log }, signal)),
      ),
    ]
  }

  /** Resolves when the rounds under way have ended. Idempotent. */
  async stop(): Promise<void> {
    const { tasks } = this
    this.tasks = []
    for (const task of tasks) task.cancel()
    await Promise.all([...tasks.map((task) => task.done), this.parts.tasks?.stop()])
  }
}
