import { StoreError } from '@o3/common/errors'
import type { ContainerId, DatanodeCommand, ReplicaLocation } from '@o3/scm/api'
import type { ReplicaSource } from '../api/api.ts'
import { copyContainer } from '../copy/copy-container.ts'
import type { CopyScope } from '../copy/copy-scope.ts'
import { reconcileContainer } from '../copy/reconcile-container.ts'
import type { TaskRegistry } from '../service/tasks.ts'

export type CopyCommand = Extract<
  DatanodeCommand,
  { readonly kind: 'copy-container' | 'reconcile-container' | 'salvage-container' }
>

export interface CopyCommandsOptions {
  readonly scope: CopyScope
  readonly tasks: TaskRegistry
  /** The replicas of another datanode; undefined for one that cannot be reached. */
  readonly source: (at: ReplicaLocation) => ReplicaSource | undefined
}

/** Carries out what SCM asks about copies, as tasks. */
export class CopyCommands {
  private readonly options: CopyCommandsOptions
  /** Containers that a task works on. */
  private readonly busy = new Set<ContainerId>()

  constructor(options: CopyCommandsOptions) {
    this.options = options
  }

  take({ kind, task, container, sources: places }: CopyCommand): void {
    const { scope, tasks, source } = this.options
    tasks.begin(task, async ({ signal, progress }) => {
      const sources = places.map(source).filter((each) => each !== undefined)
      const fewest = kind === 'salvage-container' ? places.length : 1
      if (sources.length < fewest) throw new StoreError('Unavailable', 'the sources of the copy cannot be reached')
      if (this.busy.has(container)) throw new StoreError('Busy', `another task works on container ${container}`)
      this.busy.add(container)
      try {
        const asked = { container, sources, signal, progress }
        if (kind === 'copy-container') await copyContainer(scope, asked)
        else await reconcileContainer(scope, asked, kind === 'salvage-container' ? 'anybody' : 'origins')
      } finally {
        this.busy.delete(container)
      }
    })
  }
}
