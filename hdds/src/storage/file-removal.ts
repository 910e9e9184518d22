import { isStoreError } from '@o3/common/errors'
import { blockRange } from '../core/index-keys.ts'
import type { ContainerView } from './container-view.ts'
import type { DiskScope } from './disk-scope.ts'
import { containersDirectory } from './disk-scope.ts'
import type { Quarantine } from './quarantine.ts'

/** Takes container files from a disk, once their last readers have finished. */
export class FileRemoval {
  private readonly scope: DiskScope
  private readonly running = new Set<Promise<void>>()

  constructor(scope: DiskScope) {
    this.scope = scope
  }

  /**
   * A file that compaction has replaced. With readers it is removed behind the caller's back, when the last of them has
   * finished: a slow one must not hold up the next compaction.
   */
  async removeWhenUnused(view: ContainerView): Promise<void> {
    const { isInUse } = view.file
    const removal = this.remove(view).catch((error: unknown) => void this.scope.health.fail(error))
    this.running.add(removal)
    void removal.finally(() => this.running.delete(removal))
    if (!isInUse) await removal
  }

  /** Durable when it resolves; with `quarantine` the file moves there. */
  async remove(view: ContainerView, quarantine?: Quarantine): Promise<void> {
    const { env, index, path, log } = this.scope
    await view.file.retire()
    env.at('hdds.file.before-remove')
    if (quarantine === undefined) {
      await env.disk.remove(view.file.path)
      await env.disk.syncDirectory(containersDirectory(path))
    } else await quarantine.take(view.file)
    env.at('hdds.file.removed')
    try {
      await index.deleteRange(blockRange(view.keyPrefix))
    } catch (error) {
      if (!isStoreError(error, 'OutOfSpace')) throw error
      log.warn({ path: view.file.path }, 'rows of a removed file stay in the index until the next start')
    }
  }

  /** Those under way have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.running)
  }
}
