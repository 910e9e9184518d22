/**
 * A replica that is being made of others. Until it is whole it is nobody's: its file has a name of its own, it is not among
 * the containers, and only its maker writes to it. It is written like any container, with group commit and floors, so that a
 * crash leaves what was durable; whoever continues finds that by recovery, and asks the others for the rest only.
 *
 * Shown, it is a container from one moment to the next: sealed and synced, then renamed, the directory synced, then struck
 * from the list of the deleted, then known to this process. A crash between the rename and the strike leaves both a file and
 * an entry; the next start takes the file for what it is and strikes the entry. A crash before leaves the list as it was, so
 * no late writer can make the container anew.
 */

import { StoreError } from '@o3/common/errors'
import type { ContainerId } from '@o3/scm/api'
import type { ContainerFileName } from '../core/container-name.ts'
import { formatContainerName, formatCopyName } from '../core/container-name.ts'
import type { Sealing } from '../core/container-ledger.ts'
import { ContainerLedger } from '../core/container-ledger.ts'
import { allGenerations } from '../core/index-keys.ts'
import { Container } from './container.ts'
import { ContainerFile } from './container-file.ts'
import type { DataDisk } from './data-disk.ts'
import { containersDirectory } from './disk-scope.ts'
import { recoverInto } from './recover-disk.ts'
import type { RecoveredFile } from './recover-disk.ts'
import { Restoration } from './restoration.ts'
import type { SpaceReservation } from './space-budget.ts'

export interface CopyRequest {
  readonly container: ContainerId
  /** Of a new file: higher than any that was here or is at the sources. One that is continued keeps its own. */
  readonly generation: number
  /** What the sources hold: room for it is kept. */
  readonly liveBytes: number
}

export class ContainerCopy {
  readonly container: Container
  readonly restoration: Restoration
  private readonly disk: DataDisk
  private readonly space: SpaceReservation

  private constructor(disk: DataDisk, container: Container, space: SpaceReservation) {
    this.disk = disk
    this.container = container
    this.space = space
    this.restoration = new Restoration(container)
    disk.openCopies.add(container)
  }

  /** Continues what is there, or begins. `OutOfSpace` when there is no room for the rest, `VolumeFailed`. */
  static async open(disk: DataDisk, request: CopyRequest): Promise<ContainerCopy> {
    const { scope, buffers } = disk
    scope.health.assertWritable()
    const begun = await continued(disk, request)
    const space = await reserve(disk, request, begun)
    try {
      const { file, ledger, highestLocal } = begun ?? (await created(disk, request))
      return new ContainerCopy(disk, new Container({ scope, buffers, file, ledger, highestLocal }), space)
    } catch (error) {
      space.end()
      throw error
    }
  }

  /** Before a block of so many bytes is written: its room is there. */
  spend(bytes: number): void {
    this.space.use(bytes)
  }

  /** No block comes any more; durable when it resolves. Idempotent. */
  async seal(how: Sealing): Promise<void> {
    const { container, disk } = this
    disk.scope.env.at('hdds.copy.before-seal')
    await container.close({ how })
    // One that was sealed before a crash, when its sources knew less.
    if (how === 'agreed') await container.agree()
  }

  /** From now on it is one of the disk's containers. `readmit` strikes it from the lists of the deleted, durably. */
  async show(readmit: () => Promise<void>): Promise<Container> {
    const { container, disk } = this
    const { env, health, path } = disk.scope
    const { name } = container.current.file
    const directory = containersDirectory(path)
    if (!container.isSealed) throw new StoreError('Internal', 'a copy is shown before it is sealed')
    await this.restoration.end()
    await container.turns.run(async () => {
      container.assertWritable()
      await container.current.file.retire()
      env.at('hdds.copy.before-rename')
      try {
        await env.disk.rename(`${directory}/${formatCopyName(name)}`, `${directory}/${formatContainerName(name)}`)
        env.at('hdds.copy.before-directory-sync')
        await env.disk.syncDirectory(directory)
      } catch (error) {
        throw health.fail(error)
      }
      env.at('hdds.copy.renamed')
      container.switchTo(disk.newFile(name), container.ledger)
      await readmit()
      disk.containers.set(name.container, container)
      disk.copies.delete(name.container)
      this.letGo()
    })
    env.at('hdds.copy.visible')
    return container
  }

  /** Work on it ends; the file stays, for whoever continues, unless the container was deleted meanwhile. */
  async leave(): Promise<void> {
    const { container, disk } = this
    await this.restoration.end()
    await container.turns.run(() => container.stop())
    await container.current.file.retire()
    this.letGo()
    if (container.isRemoved) await removeCopy(disk, container.id)
  }

  private letGo(): void {
    this.space.end()
    this.disk.openCopies.delete(this.container)
  }
}

/** What nobody works on and nobody will continue. */
export async function removeCopy(disk: DataDisk, id: ContainerId): Promise<void> {
  const name = disk.copies.get(id)
  if (name === undefined) return
  const { env, health, path, index } = disk.scope
  health.assertWritable()
  disk.copies.delete(id)
  const directory = containersDirectory(path)
  try {
    await env.disk.remove(`${directory}/${formatCopyName(name)}`)
    await env.disk.syncDirectory(directory)
  } catch (error) {
    throw health.fail(error)
  }
  await index.deleteRange(allGenerations(id))
}

function fileOf(disk: DataDisk, name: ContainerFileName): ContainerFile {
  const { env, pool, path } = disk.scope
  return new ContainerFile({
    disk: env.disk,
    directory: containersDirectory(path),
    fileName: formatCopyName(name),
    name,
    pool,
  })
}

/** Before anything is made: a copy for which there is no room leaves nothing behind. */
async function reserve(
  disk: DataDisk,
  { liveBytes }: CopyRequest,
  begun: RecoveredFile | undefined,
): Promise<SpaceReservation> {
  try {
    return disk.scope.space.reserve(Math.max(0, liveBytes - (begun?.ledger.usedBytes ?? 0)))
  } catch (error) {
    await begun?.file.retire()
    throw error
  }
}

/** What an earlier attempt has left, brought back by recovery. One that does not verify is thrown away. */
async function continued(disk: DataDisk, { container: id }: CopyRequest): Promise<RecoveredFile | undefined> {
  const name = disk.copies.get(id)
  if (name === undefined) return undefined
  await disk.scope.index.deleteRange(allGenerations(id))
  const recovered = await recoverInto(disk.scope, fileOf(disk, name))
  if (!recovered.ledger.isDamaged) return recovered
  await recovered.file.retire()
  await removeCopy(disk, id)
  return undefined
}

async function created(disk: DataDisk, { container: id, generation }: CopyRequest): Promise<RecoveredFile> {
  const { env, health, path } = disk.scope
  const name = { container: id, generation }
  const directory = containersDirectory(path)
  // From here on no writer makes a container of this id.
  disk.copies.set(id, name)
  try {
    const file = await env.disk.open(`${directory}/${formatCopyName(name)}`, 'create')
    await file.close()
    await env.disk.syncDirectory(directory)
  } catch (error) {
    throw health.fail(error)
  }
  env.at('hdds.copy.created')
  return { file: fileOf(disk, name), ledger: new ContainerLedger(), highestLocal: 0 }
}
