import type { Env, Task } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { TaskRegistry } from '../service/tasks.ts'
import type { KeyRing } from '@o3/scm/tokens'
import type { ScmMember } from './heartbeat.ts'
import type { Reconciler } from './reconciler.ts'
import { runReconciler } from './reconciler.ts'

export interface ReconcilersParts {
  readonly env: Env
  readonly log: Logger
  readonly reconcilers: readonly Reconciler[]
  /** There at the start. */
  readonly scmMembers: readonly ScmMember[]
  /** The talk with a member of SCM. */
  readonly talk: (member: ScmMember) => Reconciler
  /** What commands have begun; it ends with the rounds. */
  readonly tasks?: TaskRegistry
  /** SCM's secret keys, kept fresh. */
  readonly keys: Pick<KeyRing, 'run'>
}

/** Runs all reconcilers of a datanode as tasks. Start after the datanode and SCM, stop before them. */
export class Reconcilers {
  private readonly parts: ReconcilersParts
  private tasks: readonly Task[] = []
  private readonly talks = new Map<string, Task>()

  constructor(parts: ReconcilersParts) {
    this.parts = parts
  }

  start(): void {
    const { env, reconcilers, keys, scmMembers } = this.parts
    this.tasks = [
      env.tasks.spawn('secret keys', (signal) => keys.run(signal)),
      ...reconcilers.map((reconciler) => this.run(reconciler)),
    ]
    for (const member of scmMembers) this.addScmMember(member)
  }

  /** One that joined the group of SCM: from now on it hears what is here, too. After `start`. */
  addScmMember(member: ScmMember): void {
    this.talks.set(member.id, this.run(this.parts.talk(member)))
  }

  /** Resolves when it is asked no more. Does nothing for a stranger. */
  async removeScmMember(id: string): Promise<void> {
    const talk = this.talks.get(id)
    this.talks.delete(id)
    talk?.cancel()
    await talk?.done
  }

  /** Resolves when the rounds under way have ended. Idempotent. */
  async stop(): Promise<void> {
    const tasks = [...this.tasks, ...this.talks.values()]
    this.tasks = []
    this.talks.clear()
    for (const task of tasks) task.cancel()
    await Promise.all([...tasks.map((task) => task.done), this.parts.tasks?.stop()])
  }

  private run(reconciler: Reconciler): Task {
    const { env, log } = this.parts
    return env.tasks.spawn(reconciler.name, (signal) => runReconciler(reconciler, { clock: env.clock, log }, signal))
  }
}
