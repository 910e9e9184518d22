import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type {
  BlockId,
  BlockRange,
  ContainerId,
  ContainerReport,
  DatanodeId,
  DiskReport,
  PipelineId,
  PipelineMember,
  PipelineReport,
} from '@o3/scm/api'
import { maxChunkBytes } from '../api/api.ts'
import type {
  AgreedBlock,
  BlockAccess,
  BlockInfo,
  BlockPage,
  BlockReceipt,
  BlockWriter,
  KnownChecksums,
  Datanode,
  PipelineMembership,
  ReadAccess,
  ReadRange,
  ReplicaAccess,
  ReplicaSource,
  ReplicaSummary,
  ScrubFinding,
} from '../api/api.ts'
import type { CopyHome } from '../copy/copy-scope.ts'
import { framedBlocks, listPage, summarize } from '../copy/local-replica.ts'
import { blockRange, localOfKey } from '../core/index-keys.ts'
import { unknownPipeline } from '../pipeline/datanode-pipelines.ts'
import type { DatanodePipelines } from '../pipeline/datanode-pipelines.ts'
import type { PipelineContainers } from '../pipeline/entry-applier.ts'
import type { PipelineGroup } from '../pipeline/pipeline-group.ts'
import type { ReplicaWriter } from '../pipeline/pipeline-streams.ts'
import { totalLength } from '../storage/checksum.ts'
import type { Container } from '../storage/container.ts'
import { deleteBlocks } from '../storage/container-deletion.ts'
import { assertWanted, readPieces, readSmall } from '../storage/container-reads.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import type { ReadBuffers } from '../storage/read-buffers.ts'
import { Pace } from '../storage/pace.ts'
import type { FindingLog } from './finding-log.ts'

/** A disk of the datanode that does not take part. */
export interface AbsentDisk {
  readonly path: string
  /** For people, without the path. */
  readonly why: string
}

export interface LocalDatanodeOptions {
  readonly env: Env
  readonly id: DatanodeId
  readonly disks: readonly DataDisk[]
  readonly away?: readonly AbsentDisk[]
  readonly log: Logger
  readonly findings: FindingLog
  readonly buffers: ReadBuffers
}

/** The datanode of this process: its disks, and which of them has which container. */
export class LocalDatanode implements Datanode, PipelineMembership, ReplicaSource, CopyHome {
  readonly id: DatanodeId
  readonly dataDisks: readonly DataDisk[]
  private readonly options: LocalDatanodeOptions
  private readonly containerById = new Map<ContainerId, Container>()
  private readonly creating = new Map<ContainerId, Promise<Container>>()
  private closed: Promise<void> | undefined
  /** Undefined: no other datanode reaches this one. */
  private groups: DatanodePipelines | undefined

  constructor(options: LocalDatanodeOptions) {
    this.options = options
    this.id = options.id
    this.dataDisks = options.disks
    for (const disk of options.disks) {
      for (const container of disk.containers.values()) this.containerById.set(container.id, container)
    }
  }

  /** To be called once, before the first call of another kind. `open` finds what is on the disks. */
  async takePart(open: (containers: PipelineContainers) => Promise<DatanodePipelines>): Promise<void> {
    this.groups = await open({
      // Also while the datanode closes.
      find: (id) => this.dataDisks.find(({ containers }) => containers.has(id))?.containers.get(id),
      obtain: (id) => this.obtainContainer(id),
    })
  }

  // ------------------------------------------------------------------------------------------------------ blocks

  async writeBlock(
    block: BlockId,
    pieces: readonly Uint8Array[],
    { pipeline }: ReplicaAccess = {},
  ): Promise<BlockReceipt> {
    const lengthBytes = totalLength(pieces)
    if (pipeline !== undefined) {
      if (lengthBytes > maxChunkBytes)
        throw new StoreError('InvalidArgument', 'a block in one message is at most 1 MiB')
      const checksum = await this.groupOf(pipeline, block.container).writeBlock(block, pieces)
      return { block, lengthBytes, datanodes: [this.id], checksum }
    }
    this.assertDirect(block.container)
    const container = this.containerById.get(block.container) ?? (await this.obtainContainer(block.container))
    const checksum = await container.writeBlock(block.local, pieces)
    return { block, lengthBytes, datanodes: [this.id], checksum }
  }

  async openWriter(block: BlockId, { pipeline }: ReplicaAccess = {}): Promise<BlockWriter> {
    if (pipeline !== undefined) {
      const writer = await this.groupOf(pipeline, block.container).openWriter(block)
      return new DatanodeBlockWriter(block, this.id, writer)
    }
    this.assertDirect(block.container)
    const container = this.containerById.get(block.container) ?? (await this.obtainContainer(block.container))
    return new DatanodeBlockWriter(block, this.id, await container.openWriter(block.local))
  }

  read(block: BlockId, range: ReadRange, _access?: BlockAccess): AsyncIterable<Uint8Array> {
    const container = () => this.container(block.container)
    const open = () => readPieces({ container, local: block.local, range, buffers: this.options.buffers })
    const group = this.groups?.ownerOf(block.container)
    return group === undefined ? open() : readWhenWritten(group, block, open)
  }

  async readSmall(block: BlockId, range: ReadRange, access?: ReadAccess): Promise<Uint8Array> {
    const read = () => readSmall(this.container(block.container), { local: block.local, range, access })
    const group = this.groups?.ownerOf(block.container)
    if (group === undefined) return await read()
    return await group.whenWritten(block, (how) => {
      if (how === 'waited') assertWanted(access)
      return read()
    })
  }

  async deleteBlocks(blocks: readonly BlockRange[]): Promise<void> {
    this.assertRunning()
    const runs = new Map<Container, { readonly first: number; readonly count: number }[]>()
    for (const { container: id, firstLocal, count } of blocks) {
      const container = this.containerById.get(id) ?? this.copying(id)
      if (container === undefined) continue
      const list = runs.get(container) ?? []
      runs.set(container, list)
      list.push({ first: firstLocal, count })
    }
    await Promise.all([...runs].map(([container, list]) => deleteBlocks(container, list)))
  }

  // -------------------------------------------------------------------------------------------------- containers

  async createContainer(id: ContainerId): Promise<void> {
    await this.obtainContainer(id)
  }

  /** One of a pipeline is closed through its log, by the leader: `NotLeader` at the others. */
  async closeContainer(id: ContainerId): Promise<void> {
    const container = this.container(id)
    const group = this.groups?.ownerOf(id)
    await (group === undefined ? container.close() : group.closeContainer(id))
  }

  /** As `createContainer`, of one that is written through a pipeline. `Unavailable` while this datanode is no member of it. */
  async createContainerOf(id: ContainerId, pipeline: PipelineId): Promise<void> {
    if (this.groups === undefined) throw unknownPipeline(pipeline)
    await this.groups.group(pipeline).takeIn(id)
  }

  /**
   * As `closeContainer`, of one that is written through a pipeline, whatever this datanode knows of that. Where it is no member
   * any more, nobody has agreed to what is here: sealed alone.
   */
  async closeContainerOf(id: ContainerId, pipeline: PipelineId): Promise<void> {
    const container = this.container(id)
    const group = this.groups?.ownerOf(id) ?? this.groups?.known(pipeline)
    if (group === undefined) return await container.close({ how: 'alone' })
    await group.takeIn(id)
    await group.closeContainer(id)
  }

  /** Its pipeline is lost: it is sealed with what is here, and `QUASI_CLOSED`. `ContainerNotFound`, `VolumeFailed`. */
  async closeContainerAlone(id: ContainerId): Promise<void> {
    const container = this.container(id)
    const group = this.groups?.ownerOf(id)
    await (group === undefined ? container.close({ how: 'alone' }) : group.sealAlone(id))
  }

  async deleteContainer(id: ContainerId): Promise<void> {
    this.assertRunning()
    const failed = this.dataDisks.filter((disk) => disk.state === 'failed' && disk.has(id))
    for (const disk of this.dataDisks) {
      if (failed.includes(disk)) continue
      await disk.forgetLost(id, 'remembered')
      await disk.dropCopy(id)
      await disk.deleteContainer(id)
      // That it was deleted cannot be written down where it is, and must not be forgotten where a first write could bring it back.
      if (failed.length > 0 && disk.state !== 'failed') await disk.remember(id)
    }
    for (const disk of failed) await disk.letGo(id)
    this.containerById.delete(id)
  }

  async listBlocks(id: ContainerId): Promise<readonly BlockInfo[]> {
    const container = this.container(id)
    const { index } = container.scope
    const { file, keyPrefix } = container.current
    await file.acquire()
    try {
      await index.flush()
      const blocks: BlockInfo[] = []
      await index.scan(blockRange(keyPrefix), (key, row) => {
        const { lengthBytes, checksum } = row
        const block = { container: id, local: localOfKey(key) }
        blocks.push(checksum === undefined ? { block, lengthBytes } : { block, lengthBytes, checksum })
      })
      return blocks
    } finally {
      file.release()
    }
  }

  containers(): readonly ContainerReport[] {
    const reports: ContainerReport[] = []
    for (const disk of this.dataDisks) {
      for (const container of disk.containers.values()) reports.push(this.reportOf(container, disk))
      for (const { container: id, checkpoint } of disk.lost.values()) {
        const { sums, generation } = checkpoint
        reports.push({ id, state: 'UNHEALTHY', generation, usedBytes: 0, liveBytes: 0, blockCount: sums.blockCount })
      }
    }
    return reports
  }

  /** Those that are away have failed, for all that anybody outside needs to know. */
  disks(): readonly DiskReport[] {
    const away = this.awayDisks.map(({ path, why: problem }): DiskReport => {
      return { path, uuid: '', state: 'failed', totalBytes: 0, availableBytes: 0, usedBytes: 0, problem }
    })
    return [...this.dataDisks.map((disk) => disk.report()), ...away]
  }

  get awayDisks(): readonly AbsentDisk[] {
    return this.options.away ?? []
  }

  /**
   * The container is not here, and may be on a disk that is away. What is deleted of it cannot be called deleted: the disk may come
   * back. SCM asks as long as it counts on this replica.
   */
  isPerhapsAway(id: ContainerId): boolean {
    return this.awayDisks.length > 0 && !this.containerById.has(id) && this.copying(id) === undefined
  }

  // ---------------------------------------------------------------------------------------------------- replicas

  async summarizeReplica(id: ContainerId): Promise<ReplicaSummary> {
    return await summarize(this.container(id), this.options.env.clock)
  }

  async listReplica(page: BlockPage): Promise<readonly BlockInfo[]> {
    return await listPage(this.container(page.container), page)
  }

  readBlocks(blocks: readonly BlockRange[]): AsyncIterable<Uint8Array> {
    return framedBlocks((id) => this.container(id), blocks)
  }

  // ----------------------------------------------------------------------------------------------------- copies

  containerHere(id: ContainerId): Container | undefined {
    this.assertRunning()
    if (this.creating.has(id)) throw new StoreError('Busy', `container ${id} is being made`)
    return this.containerById.get(id)
  }

  diskForCopy(): DataDisk {
    return this.chooseDisk()
  }

  admit(container: Container): void {
    if (!container.isRemoved && this.closed === undefined) this.containerById.set(container.id, container)
  }

  noteFinding(finding: ScrubFinding): void {
    this.options.findings.add(finding)
  }

  /** What is deleted while it is copied must not be taken. */
  private copying(id: ContainerId): Container | undefined {
    for (const disk of this.dataDisks)
      for (const container of disk.openCopies) if (container.id === id) return container
    return undefined
  }

  // --------------------------------------------------------------------------------------------------- pipelines

  async createPipeline(pipeline: PipelineId, members: readonly PipelineMember[]): Promise<void> {
    this.assertRunning()
    if (this.groups === undefined) throw new StoreError('Unavailable', 'other datanodes do not reach this one')
    await this.groups.create(pipeline, members)
  }

  async closePipeline(pipeline: PipelineId): Promise<void> {
    this.assertRunning()
    await this.groups?.close(pipeline)
  }

  pipelines(): readonly PipelineReport[] {
    return this.groups?.reports() ?? []
  }

  async agreeBlock(agreed: AgreedBlock, _access?: BlockAccess): Promise<void> {
    await this.groupOf(agreed.pipeline, agreed.block.container).agreeBlock(agreed)
  }

  /** The pipeline, for a container of its own, or one that nobody has yet. */
  private groupOf(pipeline: PipelineId, container: ContainerId): PipelineGroup {
    this.assertRunning()
    if (this.groups === undefined) throw unknownPipeline(pipeline)
    const group = this.groups.group(pipeline)
    const owner = this.groups.ownerOf(container)
    if (owner === group) return group
    // Before its first byte a container of a pipeline is known as its own.
    const isNew = (this.containerById.get(container)?.ledger.usedBytes ?? 0) === 0
    if (owner === undefined && (isNew || this.containerById.get(container)?.isSealed === true)) return group
    throw new StoreError('InvalidArgument', `container ${container} is not written through pipeline ${pipeline}`, {
      details: { container, ...(owner !== undefined && { pipeline: owner.id }) },
    })
  }

  private assertDirect(container: ContainerId): void {
    const owner = this.groups?.ownerOf(container)
    if (owner === undefined) return
    throw new StoreError('InvalidArgument', `container ${container} is written through pipeline ${owner.id} only`, {
      details: { container, pipeline: owner.id },
    })
  }

  /** On a disk that has failed nothing can be relied on, although most of it may still be read: other replicas are to be made. */
  private reportOf(container: Container, disk: DataDisk): ContainerReport {
    const report = disk.state === 'failed' ? distrusted(container.report()) : container.report()
    const owner = container.isSealed ? undefined : this.groups?.ownerOf(container.id)
    return owner === undefined ? report : { ...report, pipeline: owner.id }
  }

  // ------------------------------------------------------------------------------------------------- maintenance

  findings(): readonly ScrubFinding[] {
    return this.options.findings.all()
  }

  /** As fast as the disk goes: somebody is waiting. */
  async scrubContainer(id: ContainerId): Promise<readonly ScrubFinding[]> {
    const container = this.container(id)
    return await this.diskOf(container).scrub(container, { pace: new Pace(this.options.env.clock, () => Infinity) })
  }

  async compact(): Promise<number> {
    this.assertRunning()
    const freed = await Promise.all(this.dataDisks.map((disk) => disk.compact()))
    return freed.reduce((sum, bytes) => sum + bytes, 0)
  }

  /** Ends background work, makes everything durable and lets go of the disks. Idempotent. */
  close(): Promise<void> {
    this.closed ??= this.closeNow()
    return this.closed
  }

  private async closeNow(): Promise<void> {
    // The paths that look a container up without asking end in `assertRunning`.
    this.containerById.clear()
    await Promise.allSettled(this.creating.values())
    await this.groups?.stop()
    await Promise.all(this.dataDisks.map((disk) => disk.close()))
  }

  // ------------------------------------------------------------------------------------------------------ places

  private container(id: ContainerId): Container {
    this.assertRunning()
    const container = this.containerById.get(id)
    if (container !== undefined) return container
    for (const disk of this.dataDisks) {
      if (!disk.lost.has(id)) continue
      throw new StoreError('Damaged', `the file of container ${id} is missing`, {
        details: { container: id, local: 0, offset: 0, path: disk.path },
      })
    }
    throw new StoreError('ContainerNotFound', `no container ${id}`, { details: { container: id } })
  }

  private obtainContainer(id: ContainerId): Promise<Container> {
    this.assertRunning()
    const existing = this.containerById.get(id)
    if (existing !== undefined) return Promise.resolve(existing)
    let creation = this.creating.get(id)
    if (creation === undefined) {
      creation = this.createNow(id).finally(() => this.creating.delete(id))
      this.creating.set(id, creation)
    }
    return creation
  }

  private async createNow(id: ContainerId): Promise<Container> {
    // A late writer must not bring a deleted container back by its first write.
    if (this.dataDisks.some((disk) => disk.wasDeleted(id) || disk.lost.has(id) || disk.copies.has(id))) {
      throw new StoreError('ContainerNotFound', `container ${id} was deleted, or is being copied`, {
        details: { container: id },
      })
    }
    const container = await this.chooseDisk().createContainer(id)
    this.containerById.set(id, container)
    return container
  }

  /** The healthy disk with the fewest open containers; of those, the one with the most room. */
  private chooseDisk(): DataDisk {
    const healthy = this.dataDisks.filter((disk) => disk.state === 'healthy')
    const [best] = healthy.toSorted((a, b) => {
      return a.openContainers - b.openContainers || b.scope.space.availableBytes - a.scope.space.availableBytes
    })
    if (best !== undefined) return best
    if (this.dataDisks.some((disk) => disk.state === 'full')) throw new StoreError('OutOfSpace', 'every disk is full')
    throw new StoreError('VolumeFailed', 'every disk has failed')
  }

  private diskOf(container: Container): DataDisk {
    const disk = this.dataDisks.find((candidate) => candidate.scope === container.scope)
    if (disk === undefined) throw new StoreError('Internal', 'a container without a disk')
    return disk
  }

  private assertRunning(): void {
    if (this.closed !== undefined) throw new StoreError('Closed', 'the datanode is closed')
  }
}

/** As `readPieces`, of a block that may be on its way from the log into its container. */
async function* readWhenWritten(
  group: PipelineGroup,
  block: BlockId,
  open: () => AsyncIterableIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, undefined> {
  const { pieces, first } = await group.whenWritten(block, async () => {
    const begun = open()
    return { pieces: begun, first: await begun.next() }
  })
  try {
    for (let step = first; step.done !== true; step = await pieces.next()) yield step.value
  } finally {
    await pieces.return?.()
  }
}

/** A container's writer, with the receipt that clients expect. */
class DatanodeBlockWriter implements BlockWriter {
  readonly block: BlockId
  private readonly datanode: DatanodeId
  private readonly writer: ReplicaWriter

  constructor(block: BlockId, datanode: DatanodeId, writer: ReplicaWriter) {
    this.block = block
    this.datanode = datanode
    this.writer = writer
  }

  write(pieces: readonly Uint8Array[], known?: KnownChecksums): Promise<void> {
    return this.writer.write(pieces, known)
  }

  async commit(): Promise<BlockReceipt> {
    return { block: this.block, ...(await this.writer.commit()), datanodes: [this.datanode] }
  }

  abort(): Promise<void> {
    return this.writer.abort()
  }
}

/** It takes no blocks, and cannot be sealed: nobody is to wait for that. */
function distrusted({ isOrigin: _, open: __, ...report }: ContainerReport): ContainerReport {
  return { ...report, state: 'UNHEALTHY' }
}
