/**
 * A pipeline's directory on a disk. The description makes it one: it is written last when a pipeline is made, and removed
 * first when it is closed, so a directory without it is what a crash left of either.
 *
 *     pipelines/<id>/description    who the members are, which containers may be open (`core/pipeline-description.ts`)
 *     pipelines/<id>/log/           of Raft
 */

import type { Disk, Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { PipelineId } from '@o3/scm/api'
import { decodeDescription, encodeDescription } from '../core/pipeline-description.ts'
import type { PipelineDescription } from '../core/pipeline-description.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import { readChecked, replaceChecked } from '../storage/checked-file.ts'
import { OneAtATime } from '../storage/one-at-a-time.ts'

const directoryName = 'pipelines'
const descriptionName = 'description'
const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** `InvalidArgument` for what cannot be the name of a directory. */
export function assertPipelineId(id: PipelineId): void {
  if (!idPattern.test(id)) throw new StoreError('InvalidArgument', `"${id}" is no id of a pipeline`)
}

export class PipelineHome {
  readonly disk: DataDisk
  private readonly directory: string
  private readonly turns = new OneAtATime()

  constructor(disk: DataDisk, id: PipelineId) {
    this.disk = disk
    this.directory = `${disk.path}/${directoryName}/${id}`
  }

  get logDirectory(): string {
    return `${this.directory}/log`
  }

  /** All names down to the directory are durable when it resolves. */
  prepare(): Promise<void> {
    return this.guarded(async ({ disk }) => {
      await disk.makeDirectory(this.directory)
      await disk.syncDirectory(`${this.disk.path}/${directoryName}`)
      await disk.syncDirectory(this.disk.path)
    })
  }

  /** Undefined: there is none. `Damaged`, `Incompatible`. */
  async read(): Promise<PipelineDescription | undefined> {
    const body = await readChecked(this.env.disk, { directory: this.directory, name: descriptionName })
    return body === undefined ? undefined : decodeDescription(body)
  }

  /** Durable when it resolves. `OutOfSpace`, `VolumeFailed`. */
  write(description: PipelineDescription): Promise<void> {
    const site = 'hdds.pipeline.before-directory-sync'
    const place = { directory: this.directory, name: descriptionName, site }
    return this.turns.run(() => this.guarded((env) => replaceChecked(env, place, encodeDescription(description))))
  }

  /** The pipeline is gone, durably, when it resolves; what is left of its files is removed by the next start. */
  remove(): Promise<void> {
    return this.turns.run(() =>
      this.guarded(async ({ disk, at }) => {
        if ((await disk.stat(this.directory)) === undefined) return
        const description = `${this.directory}/${descriptionName}`
        if ((await disk.stat(description)) !== undefined) {
          await disk.remove(description)
          await disk.syncDirectory(this.directory)
        }
        at('hdds.pipeline.description-removed')
        await removeTree(disk, this.directory)
        await disk.syncDirectory(`${this.disk.path}/${directoryName}`)
      }),
    )
  }

  private get env(): Env {
    return this.disk.scope.env
  }

  /** A disk that fails here has failed as a whole; a full one has not. */
  private async guarded(action: (env: Env) => Promise<void>): Promise<void> {
    const { health } = this.disk.scope
    health.assertWritable()
    try {
      await action(this.env)
    } catch (error) {
      throw isStoreError(error, 'OutOfSpace') ? error : health.fail(error)
    }
  }
}

/** The ids of the directories on the disk, whether they are pipelines or leftovers. */
export async function pipelinesOn({ path, scope }: DataDisk): Promise<readonly PipelineId[]> {
  const directory = `${path}/${directoryName}`
  const { disk } = scope.env
  if ((await disk.stat(directory)) === undefined) return []
  return (await disk.list(directory)).filter((name) => idPattern.test(name))
}

async function removeTree(disk: Disk, path: string): Promise<void> {
  const stat = await disk.stat(path)
  if (stat === undefined) return
  if (stat.kind === 'directory') for (const name of await disk.list(path)) await removeTree(disk, `${path}/${name}`)
  await disk.remove(path)
}
