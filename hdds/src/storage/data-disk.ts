/** One disk of a datanode: its identity, its index, its containers. */

import type { DiskFile, Env } from '@o3/common/env'
import { StoreError, assert, isStoreError } from '@o3/common/errors'
import type { KvStore } from '@o3/common/kv'
import type { Logger } from '@o3/common/logger'
import type { ContainerId, DiskReport, LocalId } from '@o3/scm/api'
import type { ScrubFinding } from '../api/api.ts'
import { isMissing } from '../core/disk-failure.ts'
import type { HddsConfig } from '../config.ts'
import { encodeCheckpoint } from '../core/checkpoint-row.ts'
import { planCompaction } from '../core/compaction-policy.ts'
import type { CompactionCandidate } from '../core/compaction-policy.ts'
import { ContainerLedger } from '../core/container-ledger.ts'
import type { ContainerFileName } from '../core/container-name.ts'
import { formatContainerName } from '../core/container-name.ts'
import type { ExpectedOwner } from '../core/disk-identity.ts'
import { allScrubs, blockKeyPrefix, blockRange, checkpointKey, containerOfKey, scrubKey } from '../core/index-keys.ts'
import { decodeScrubStamp, encodeScrubStamp } from '../core/scrub-schedule.ts'
import { Container } from './container.ts'
import { compactContainer } from './compact-container.ts'
import { removeCopy } from './container-copy.ts'
import { ContainerFile } from './container-file.ts'
import { DamageBook } from './damage-book.ts'
import { FileRemoval } from './file-removal.ts'
import { Quarantine } from './quarantine.ts'
import { DeletedContainers } from './deleted-containers.ts'
import { readLabel } from './disk-label.ts'
import type { DiskScope } from './disk-scope.ts'
import { containersDirectory } from './disk-scope.ts'
import { OneAtATime } from './one-at-a-time.ts'
import { Pace } from './pace.ts'
import type { ReadBuffers } from './read-buffers.ts'
import { recoverDisk } from './recover-disk.ts'
import type { LostContainer } from './recover-disk.ts'
import { scrubContainer } from './scrub-container.ts'
import type { StorageMetrics } from './storage-metrics.ts'

export interface DataDiskOptions {
  readonly env: Env
  readonly path: string
  readonly owner: ExpectedOwner
  readonly config: HddsConfig
  readonly log: Logger
  readonly buffers: ReadBuffers
  readonly metrics: StorageMetrics
  /** Opens, or creates, the key-value store in a directory. */
  readonly openKv: (path: string) => Promise<KvStore>
  readonly report: (finding: ScrubFinding) => void
}

/** Whoever has it uses the disk alone. */
export interface DirectoryLock {
  release(): Promise<void>
}

export class DataDisk {
  readonly scope: DiskScope
  readonly containers = new Map<ContainerId, Container>()
  /** Containers that the index knows and whose file is gone. */
  readonly lost = new Map<ContainerId, LostContainer>()
  /** Copies of other replicas that are not finished, whether somebody works on them or not: see `ContainerCopy`. */
  readonly copies = new Map<ContainerId, ContainerFileName>()
  /** Those that somebody works on. */
  readonly openCopies = new Set<Container>()
  private readonly options: DataDiskOptions
  private readonly lock: DirectoryLock
  private readonly checkpoints = new OneAtATime()
  /** Compactions: one at a time, each holds as much free space as the container has live bytes. */
  private readonly maintenance = new OneAtATime()
  private readonly compactionPace: Pace
  private readonly stopping = new AbortController()
  readonly removals: FileRemoval
  private readonly checkpointed = new Map<Container, number>()
  private deleted: DeletedContainers | undefined
  private quarantine: Quarantine | undefined
  private damages: DamageBook | undefined

  constructor(options: DataDiskOptions, scope: Omit<DiskScope, 'report'>, lock: DirectoryLock) {
    this.options = options
    this.scope = { ...scope, report: (finding) => this.noteFinding(finding) }
    this.scope.pool.vanished = ({ name: { container }, path }) => {
      const message = 'the file of the container is missing'
      this.noteFinding({ kind: 'unreadable', container, path, fileOffset: 0, message })
    }
    this.lock = lock
    this.removals = new FileRemoval(this.scope)
    this.compactionPace = new Pace(options.env.clock, () => options.config.compactBytesPerSecond)
    scope.health.onFailure((error) => {
      for (const container of [...this.containers.values(), ...this.openCopies]) container.failed(error)
    })
  }

  /** Damage that somebody found here: kept, and the container is called unhealthy from now on, also after a restart. */
  noteFinding(finding: ScrubFinding): void {
    const container = this.containers.get(finding.container)
    container?.noteDamage()
    this.options.report(finding)
    const { kind, container: id, local, fileOffset, message } = finding
    if (container === undefined || kind === 'quarantined' || this.damages === undefined) return
    this.damages.note({ container: id, generation: container.generation, kind, local, fileOffset, message })
    // Whoever found it has an answer to give; a disk that fails here says so itself.
    void this.damagesSettled().catch(ignoreReported)
  }

  /** What was found is written down when it resolves. `VolumeFailed`. */
  private async damagesSettled(): Promise<void> {
    const { health } = this.scope
    health.assertWritable()
    try {
      await this.damages?.settled()
    } catch (error) {
      throw health.fail(error)
    }
  }

  /** After a start: of files that are here no more, or were made anew, nothing is known. */
  private async recallDamages(damages: DamageBook): Promise<void> {
    for (const { container: id, generation, kind, local, fileOffset, message } of damages.all) {
      const container = this.containers.get(id)
      if (container?.generation !== generation) {
        damages.forget(id)
        continue
      }
      container.noteDamage()
      const { path } = container.current.file
      this.options.report({ kind, container: id, ...(local !== undefined && { local }), path, fileOffset, message })
    }
    this.damages = damages
    await this.damagesSettled()
  }

  get buffers(): ReadBuffers {
    return this.options.buffers
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

  /**
   * Looks how much is free, and whether it is still the disk that it was. A file system that cannot say so has gone; where
   * another one, or the empty mount point, is in its place, files that are open would take writes that nobody can find again.
   */
  async checkSpace(): Promise<void> {
    try {
      await this.scope.space.refresh()
      await this.assertPresent()
      await this.quarantine?.trim()
      await this.damages?.settled()
    } catch (error) {
      // A process that is short of descriptors says nothing about the disk.
      throw isStoreError(error, 'Unavailable') ? error : this.scope.health.fail(error)
    }
  }

  private async assertPresent(): Promise<void> {
    const { env, path, uuid } = this.scope
    const found = await readLabel(env.disk, path)
    if (found?.diskUuid === uuid) return
    throw new StoreError('VolumeFailed', `the disk at ${path} has gone`, { details: { path } })
  }

  report(): DiskReport {
    let usedBytes = 0
    for (const container of [...this.containers.values(), ...this.openCopies]) usedBytes += container.ledger.usedBytes
    const { totalBytes, availableBytes } = this.scope.space
    const { problem } = this.scope.health
    const report = { path: this.path, uuid: this.scope.uuid, state: this.state, totalBytes, availableBytes, usedBytes }
    return problem === undefined ? report : { ...report, problem }
  }

  async recover(): Promise<void> {
    const recovered = await recoverDisk(this.scope)
    for (const { file, ledger, highestLocal } of recovered.containers) this.addContainer(file, ledger, highestLocal)
    for (const lost of recovered.lost) this.lost.set(lost.container, lost)
    for (const copy of recovered.copies) this.copies.set(copy.container, copy)
    const { env, path, log } = this.scope
    const known = [...this.containers.keys(), ...this.lost.keys()]
    this.deleted = await DeletedContainers.open({ env, path, log, known })
    await this.recallDamages(await DamageBook.open({ env, path, log }))
    this.quarantine = await Quarantine.open(this.scope, this.options.config, this.options.report)
    await this.checkpointIndex()
    await this.scope.index.store.confirm()
  }

  /** A container of this id was here, and was deleted: it never comes again, but by a copy. */
  wasDeleted(id: ContainerId): boolean {
    return this.deleted?.has(id) === true
  }

  /** These are on this datanode: what was deleted here once has come back by a copy. Durable when it resolves. */
  async readmit(ids: readonly ContainerId[]): Promise<void> {
    try {
      await this.deleted?.readmit(ids)
    } catch (error) {
      // It stays in the list, which says nothing of a container that is here, until the next start.
      if (!isStoreError(error, 'OutOfSpace')) throw this.scope.health.fail(error)
    }
  }

  /** The container's file and its name are durable when it resolves. Called once per container. */
  async createContainer(id: ContainerId): Promise<Container> {
    const { env, health, path } = this.scope
    health.assertWritable()
    const name = { container: id, generation: 1 }
    const filePath = `${containersDirectory(path)}/${formatContainerName(name)}`
    const file = await this.createFile(filePath)
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
    return this.addContainer(opened, new ContainerLedger(), 0)
  }

  private async createFile(path: string): Promise<DiskFile> {
    try {
      return await this.scope.env.disk.open(path, 'create')
    } catch (error) {
      // Where the directory has gone, so has the disk.
      throw isMissing(error) ? this.scope.health.fail(error) : error
    }
  }

  /** The file is gone, durably, when it resolves. Readers that have begun finish first. */
  async deleteContainer(id: ContainerId): Promise<void> {
    const container = this.containers.get(id)
    if (container === undefined) return
    await container.turns.run(async () => {
      if (container.isRemoved) return
      this.scope.health.assertWritable()
      await this.remember(id)
      // What is damaged is kept for a person to look at.
      await this.takeAway(container, container.isDamaged ? this.quarantine : undefined)
    })
  }

  /** It is on another disk of this datanode: its file goes into quarantine, and is not remembered as deleted. */
  async setAside(container: Container): Promise<void> {
    this.scope.health.assertWritable()
    await container.turns.run(() => this.takeAway(container, this.quarantine))
  }

  private async takeAway(container: Container, quarantine: Quarantine | undefined): Promise<void> {
    const { env, health } = this.scope
    await this.forget(container)
    await container.stop()
    env.at('hdds.container.before-remove')
    try {
      await this.removals.remove(container.current, quarantine)
    } catch (error) {
      throw health.fail(error)
    }
    this.containers.delete(container.id)
    this.damages?.forget(container.id)
    await this.damagesSettled()
  }

  /** As a container, lost, or a copy. */
  has(id: ContainerId): boolean {
    return this.containers.has(id) || this.lost.has(id) || this.copies.has(id)
  }

  /**
   * Of a disk that has failed: not known any more until the next start, which finds it again, if anything. Nothing is written. SCM
   * does not count on it, and has it deleted then as a replica that nobody names.
   */
  async letGo(id: ContainerId): Promise<void> {
    assert(this.state === 'failed', 'a disk that works deletes')
    this.lost.delete(id)
    // Whoever works on it finds that the disk has failed.
    this.copies.delete(id)
    const container = this.containers.get(id)
    if (container === undefined) return
    await container.turns.run(async () => {
      container.markRemoved()
      await container.stop()
    })
    await container.current.file.retire()
    this.containers.delete(id)
  }

  /** The index knows it and its file is gone: it is not known any more, durably. With `remembered` it counts as deleted. */
  async forgetLost(id: ContainerId, how?: 'remembered'): Promise<void> {
    const lost = this.lost.get(id)
    if (lost === undefined) return
    const { health, index } = this.scope
    health.assertWritable()
    if (how === 'remembered') await this.remember(id)
    await this.checkpoints.run(async () => {
      await this.dropRows(id)
      this.lost.delete(id)
    })
    await index.deleteRange(blockRange(blockKeyPrefix(id, lost.checkpoint.generation)))
  }

  /** A copy that is not finished is not wanted any more: as `deleteContainer`. Whoever works on it is told. */
  async dropCopy(id: ContainerId): Promise<void> {
    if (!this.copies.has(id)) return
    this.scope.health.assertWritable()
    await this.remember(id)
    const open = [...this.openCopies].find((container) => container.id === id)
    if (open === undefined) return await removeCopy(this, id)
    await open.turns.run(async () => {
      if (!this.openCopies.has(open)) return // it has just been finished
      open.markRemoved()
      await open.stop()
    })
  }

  /** Durably, that a container of this id was deleted. A full disk only puts the deletion off: SCM asks again. */
  async remember(id: ContainerId): Promise<void> {
    try {
      await this.deleted?.add(id)
    } catch (error) {
      throw isStoreError(error, 'OutOfSpace') ? error : this.scope.health.fail(error)
    }
  }

  /**
   * The index must not know a container whose file is gone, or the next start calls it lost. So first the durable end
   * of its checkpoint, then the file; a crash between them brings the container back whole, and SCM asks again.
   */
  private async forget(container: Container): Promise<void> {
    await this.checkpoints.run(async () => {
      await this.dropRows(container.id)
      // In the same turn: the next checkpoint must not write the row again.
      container.markRemoved()
      this.checkpointed.delete(container)
    })
  }

  private async dropRows(id: ContainerId): Promise<void> {
    const { store } = this.scope.index
    await store.write([
      { kind: 'delete', key: checkpointKey(id) },
      { kind: 'delete', key: scrubKey(id) },
    ])
    await store.checkpoint()
  }

  /** No compaction is under way when it resolves; those that begin later leave restored containers alone. */
  compactionSettled(): Promise<void> {
    return this.maintenance.run(() => Promise.resolve())
  }

  /** Rewrites what is worth it; the bytes given back. A full disk ends the round, and the next one tries again. */
  compact(): Promise<number> {
    return this.maintenance.run(() => this.compactNow())
  }

  private async compactNow(): Promise<number> {
    const { signal } = this.stopping
    let freed = 0
    for (const id of planCompaction([...this.containers.values()].map(candidateOf), this.options.config)) {
      const container = this.containers.get(id)
      if (signal.aborted || this.state === 'failed') break
      if (container === undefined || container.isRemoved || container.isRestored) continue
      if (!(await this.hasRoomFor(container))) continue
      const bytes = await compactContainer({ disk: this, container, pace: this.compactionPace, signal })
      this.scope.log.info({ container: id, freedBytes: bytes }, 'container compacted')
      this.scope.metrics.compactedBytes.add(bytes)
      freed += bytes
    }
    return freed
  }

  /**
   * Verifies one container, and remembers when, unless its file was replaced meanwhile. What was found is durable before that it was
   * looked for. One that was called damaged, and of which every byte is sound, is whole again: what was rotten of it was deleted, or
   * was misread.
   */
  async scrub(
    container: Container,
    options: { readonly pace: Pace; readonly signal?: AbortSignal },
  ): Promise<readonly ScrubFinding[]> {
    const signal =
      options.signal === undefined ? this.stopping.signal : AbortSignal.any([options.signal, this.stopping.signal])
    // Files that are open would be read to the end although the disk has gone.
    await this.checkSpace()
    const { generation, notesOfDamage } = container
    const findings = await scrubContainer({ container, pace: options.pace, signal })
    const isWhole = !container.isRemoved && container.generation === generation
    if (isWhole && this.scope.health.failed === undefined) {
      if (findings.length === 0 && container.notesOfDamage === notesOfDamage) {
        container.clearDamage()
        this.damages?.forget(container.id)
      }
      await this.damagesSettled()
      const value = encodeScrubStamp(this.scope.env.clock.wallMs())
      await this.scope.index.store.write([{ kind: 'put', key: scrubKey(container.id), value }])
    }
    return findings
  }

  /** When each container was last verified to its end, by the wall clock. */
  async scrubStamps(): Promise<ReadonlyMap<ContainerId, number>> {
    const stamps = new Map<ContainerId, number>()
    const cursor = await this.scope.index.store.cursor(allScrubs)
    try {
      for (;;) {
        const entries = await cursor.next(1024)
        if (entries.length === 0) return stamps
        for (const { key, value } of entries) stamps.set(containerOfKey(key), decodeScrubStamp(value))
      }
    } finally {
      await cursor.close()
    }
  }

  /** The reserve is there for this; some of it stays for the index. */
  private async hasRoomFor(container: Container): Promise<boolean> {
    const { availableBytes } = await this.scope.env.disk.space(this.path)
    return availableBytes - container.ledger.live >= this.options.config.reserveBytes / 4
  }

  /** Makes the index durable, then notes how far it reaches. `OutOfSpace`, `VolumeFailed`. */
  checkpointIndex(): Promise<void> {
    return this.checkpoints.run(async () => {
      const { env, index, health } = this.scope
      health.assertWritable()
      const changed: { readonly container: Container; readonly version: number; readonly row: Uint8Array }[] = []
      for (const container of this.containers.values()) {
        if (this.checkpointed.get(container) === container.version) continue
        changed.push({ container, version: container.version, row: encodeCheckpoint(container.checkpoint()) })
      }
      if (changed.length === 0) return
      env.at('hdds.index.before-checkpoint')
      await index.checkpoint()
      env.at('hdds.index.after-checkpoint')
      health.assertWritable()
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
    this.stopping.abort(new StoreError('Closed', 'the datanode is closing'))
    await this.maintenance.run(() => Promise.resolve())
    const all = [...this.containers.values(), ...this.openCopies]
    await Promise.all(all.map((container) => container.turns.run(() => container.stop())))
    try {
      if (health.failed === undefined) {
        await this.checkpointIndex()
        await index.store.checkpoint()
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      log.warn({ error }, 'the index was not made durable; the next start will read the containers again')
    }
    for (const container of all) await container.current.file.retire()
    await this.removals.settled()
    await index.close()
    await this.lock.release()
  }

  /** It is one of the disk's from now on, and is reported. */
  addContainer(file: ContainerFile, ledger: ContainerLedger, highestLocal: LocalId): Container {
    const { scope } = this
    const container = new Container({ scope, buffers: this.options.buffers, file, ledger, highestLocal })
    this.containers.set(container.id, container)
    return container
  }

  newFile(name: ContainerFileName): ContainerFile {
    const { env, path, pool } = this.scope
    return new ContainerFile({ disk: env.disk, directory: containersDirectory(path), name, pool })
  }
}

function ignoreReported(): void {}

function candidateOf(container: Container): CompactionCandidate {
  const { ledger, id, isDamaged } = container
  const { usedBytes, live, sealState } = ledger
  // One that was sealed alone keeps its tombstones: they say what must not come back from another replica.
  return { container: id, sealed: sealState === 'agreed', damaged: isDamaged, usedBytes, liveBytes: live }
}
