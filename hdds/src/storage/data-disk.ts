/** One disk of a datanode: its identity, its index, its containers. */

import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { KvStore } from '@o3/common/kv'
import type { Logger } from '@o3/common/log'
import type { ContainerId, DiskReport } from '@o3/scm/api'
import type { ScrubFinding } from '../api/api.ts'
import type { HddsConfig } from '../config.ts'
import { encodeCheckpoint } from '../core/checkpoint-row.ts'
import { ContainerLedger } from '../core/container-ledger.ts'
import type { ContainerFileName } from '../core/container-name.ts'
import { formatContainerName } from '../core/container-name.ts'
import type { ExpectedOwner } from '../core/disk-identity.ts'
import { blockRange, checkpointKey, scrubKey } from '../core/index-keys.ts'
import type { SpentIds } from '../core/spent-ids.ts'
import { BlockIndex } from './block-index.ts'
import { Container } from './container.ts'
import { ContainerFile, FilePool } from './container-file.ts'
import { DiskHealth } from './disk-health.ts'
import { assertOwner, readLabel, writeLabel } from './disk-label.ts'
import type { DiskScope } from './disk-scope.ts'
import { containersDirectory, indexDirectory } from './disk-scope.ts'
import { OneAtATime } from './one-at-a-time.ts'
import type { ReadBuffers } from './read-buffers.ts'
import { recoverDisk } from './recover-disk.ts'
import type { LostContainer } from './recover-disk.ts'
import { SpaceBudget } from './space-budget.ts'

export interface DataDiskOptions {
  readonly env: Env
  readonly path: string
  readonly owner: ExpectedOwner
  readonly config: HddsConfig
  readonly log: Logger
  readonly buffers: ReadBuffers
  /** Opens, or creates, the key-value store in a directory. */
  readonly openKv: (path: string) => Promise<KvStore>
  readonly report: (finding: ScrubFinding) => void
}

/** Opens a disk, formatting it when it is empty, and brings its index up to date. `Incompatible`, `Busy`, `Damaged`. */
export async function openDataDisk(options: DataDiskOptions): Promise<DataDisk> {
  const { env, path, owner } = options
  const found = await readLabel(env.disk, path)
  if (found !== undefined) assertOwner(found, owner, path)
  else await env.disk.makeDirectory(path)
  const lock = await env.disk.lock(`${path}/LOCK`)
  try {
    const identity = found ?? (await writeLabel(env, path, owner))
    await env.disk.makeDirectory(containersDirectory(path))
    await env.disk.makeDirectory(indexDirectory(path))
    await env.disk.syncDirectory(path)
    const scope = await openScope(options, identity.diskUuid)
    const disk = new DataDisk(options, scope, lock)
    await disk.recover()
    return disk
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function openScope(options: DataDiskOptions, uuid: string): Promise<DiskScope> {
  const { env, path, config } = options
  const log = options.log.child({ disk: path })
  const health = new DiskHealth(path, log)
  const space = new SpaceBudget({ path, reserveBytes: config.reserveBytes, look: () => env.disk.space(path) })
  await space.refresh()
  const index = new BlockIndex({
    env,
    openKv: () => options.openKv(indexDirectory(path)),
    kv: await options.openKv(indexDirectory(path)),
    cachedExtents: config.cachedExtents,
    onFailure: (error) => health.fail(error),
  })
  const pool = new FilePool(config.idleFiles)
  return { env, log, path, uuid, index, health, space, pool, limits: config, report: options.report }
}

export class DataDisk {
  readonly scope: DiskScope
  readonly containers = new Map<ContainerId, Container>()
  /** Containers that the index knows and whose file is gone. */
  readonly lost = new Map<ContainerId, LostContainer>()
  private readonly options: DataDiskOptions
  private readonly lock: { release(): Promise<void> }
  private readonly checkpoints = new OneAtATime()
  private readonly checkpointed = new Map<Container, number>()

  constructor(options: DataDiskOptions, scope: DiskScope, lock: { release(): Promise<void> }) {
    this.options = options
    this.scope = scope
    this.lock = lock
    scope.health.onFailure((error) => {
      for (const container of this.containers.values()) container.failed(error)
    })
  }

  get path(): string {
    return this.scope.path
  }

  get state(): DiskReport['state'] {
    if (this.scope.health.failed !== undefined) return 'failed'
    return this.scope.space.isFull ? 'full' : 'healthy'
  }

  get openContainers(): number {
    let open = 0
    for (const container of this.containers.values()) if (container.isOpen) open++
    return open
  }

  report(): DiskReport {
    let usedBytes = 0
    for (const container of this.containers.values()) usedBytes += container.ledger.usedBytes
    const { totalBytes, availableBytes } = this.scope.space
    return { path: this.path, uuid: this.scope.uuid, state: this.state, totalBytes, availableBytes, usedBytes }
  }

  async recover(): Promise<void> {
    const recovered = await recoverDisk(this.scope)
    for (const { file, ledger, spent } of recovered.containers) this.addContainer(file, ledger, spent)
    for (const lost of recovered.lost) this.lost.set(lost.container, lost)
    await this.checkpointIndex()
  }

  /** The container's file and its name are durable when it resolves. Called once per container. */
  async createContainer(id: ContainerId): Promise<Container> {
    const { env, health, path } = this.scope
    health.assertWritable()
    const name = { container: id, generation: 1 }
    const filePath = `${containersDirectory(path)}/${formatContainerName(name)}`
    const file = await env.disk.open(filePath, 'create')
    try {
      env.at('hdds.container.file-created')
      await file.sync()
      env.at('hdds.container.before-directory-sync')
      await env.disk.syncDirectory(containersDirectory(path))
    } catch (error) {
      await file.close()
      throw health.fail(error)
    }
    env.at('hdds.container.created')
    const { disk } = env
    const { pool } = this.scope
    const opened = new ContainerFile({ disk, directory: containersDirectory(path), name, pool, file })
    return this.addContainer(opened, new ContainerLedger(), undefined)
  }

  /** The file is gone, durably, when it resolves. Readers that have begun finish first. */
  async deleteContainer(id: ContainerId): Promise<void> {
    const container = this.containers.get(id)
    if (container === undefined) return
    const { env, health, index, path } = this.scope
    await container.turns.run(async () => {
      if (container.isRemoved) return
      health.assertWritable()
      const view = container.markRemoved()
      await container.stop()
      await this.forgetRows(container)
      env.at('hdds.container.before-remove')
      await view.file.retire()
      await env.disk.remove(view.file.path)
      await env.disk.syncDirectory(containersDirectory(path))
      env.at('hdds.container.removed')
      this.containers.delete(id)
      await index.deleteRange(blockRange(view.keyPrefix))
    })
  }

  /**
   * The index must not know a container whose file is gone, or the next start calls it lost. So first the durable end
   * of its checkpoint, then the file; a crash between them brings the container back whole, and SCM asks again.
   */
  private async forgetRows(container: Container): Promise<void> {
    const { index } = this.scope
    await this.checkpoints.run(async () => {
      this.checkpointed.delete(container)
      await index.flush()
      await index.store.write([
        { kind: 'delete', key: checkpointKey(container.id) },
        { kind: 'delete', key: scrubKey(container.id) },
      ])
      await index.store.checkpoint()
    })
  }

  /** Makes the index durable, then notes how far it reaches. */
  checkpointIndex(): Promise<void> {
    return this.checkpoints.run(async () => {
      const { env, index } = this.scope
      const changed: { readonly container: Container; readonly version: number; readonly row: Uint8Array }[] = []
      for (const container of this.containers.values()) {
        if (this.checkpointed.get(container) === container.version) continue
        changed.push({ container, version: container.version, row: encodeCheckpoint(container.checkpoint()) })
      }
      if (changed.length === 0) return
      env.at('hdds.index.before-checkpoint')
      await index.checkpoint()
      env.at('hdds.index.after-checkpoint')
      const present = changed.filter(({ container }) => !container.isRemoved)
      await index.store.write(
        present.map(({ container, row }) => ({ kind: 'put', key: checkpointKey(container.id), value: row })),
      )
      for (const { container, version } of present) this.checkpointed.set(container, version)
      env.at('hdds.index.checkpoint-rows-written')
    })
  }

  /** Everything durable, the index too, so that the next start reads nothing. */
  async close(): Promise<void> {
    const { health, index, log } = this.scope
    for (const container of this.containers.values()) await container.stop()
    try {
      if (health.failed === undefined) {
        await this.checkpointIndex()
        await index.store.checkpoint()
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      log.warn({ error }, 'the index was not made durable; the next start will read the containers again')
    }
    await index.close()
    for (const container of this.containers.values()) await container.current.file.retire()
    await this.lock.release()
  }

  addContainer(file: ContainerFile, ledger: ContainerLedger, spent: SpentIds | undefined): Container {
    const { scope } = this
    const { buffers } = this.options
    const container = new Container({ scope, buffers, file, ledger, ...(spent === undefined ? {} : { spent }) })
    this.containers.set(container.id, container)
    return container
  }

  newFile(name: ContainerFileName): ContainerFile {
    const { env, path, pool } = this.scope
    return new ContainerFile({ disk: env.disk, directory: containersDirectory(path), name, pool })
  }
}
