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
import type {
  AgreedBlock,
  BlockAccess,
  BlockInfo,
  BlockPage,
  BlockReceipt,
  BlockWriter,
  Datanode,
  PipelineMembership,
  ReadAccess,
  ReadRange,
  ReplicaAccess,
  ReplicaSource,
  ReplicaSummary,
  ScrubFinding,
} from '../api/api.ts'

type Whole = Datanode & PipelineMembership & ReplicaSource

/** A datanode that does what another one does: for those who do some of it otherwise. */
export class ForwardingDatanode implements Datanode, PipelineMembership, ReplicaSource {
  readonly id: DatanodeId
  protected readonly inner: Whole

  constructor(inner: Whole) {
    this.id = inner.id
    this.inner = inner
  }

  writeBlock(block: BlockId, pieces: readonly Uint8Array[], access?: ReplicaAccess): Promise<BlockReceipt> {
    return this.inner.writeBlock(block, pieces, access)
  }

  openWriter(block: BlockId, access?: ReplicaAccess): Promise<BlockWriter> {
    return this.inner.openWriter(block, access)
  }

  read(block: BlockId, range: ReadRange, access?: BlockAccess): AsyncIterable<Uint8Array> {
    return this.inner.read(block, range, access)
  }

  readSmall(block: BlockId, range: ReadRange, access?: ReadAccess): Promise<Uint8Array> {
    return this.inner.readSmall(block, range, access)
  }

  createContainer(container: ContainerId): Promise<void> {
    return this.inner.createContainer(container)
  }

  closeContainer(container: ContainerId): Promise<void> {
    return this.inner.closeContainer(container)
  }

  deleteContainer(container: ContainerId): Promise<void> {
    return this.inner.deleteContainer(container)
  }

  deleteBlocks(blocks: readonly BlockRange[]): Promise<void> {
    return this.inner.deleteBlocks(blocks)
  }

  listBlocks(container: ContainerId): Promise<readonly BlockInfo[]> {
    return this.inner.listBlocks(container)
  }

  containers(): readonly ContainerReport[] | Promise<readonly ContainerReport[]> {
    return this.inner.containers()
  }

  disks(): readonly DiskReport[] | Promise<readonly DiskReport[]> {
    return this.inner.disks()
  }

  scrubContainer(container: ContainerId): Promise<readonly ScrubFinding[]> {
    return this.inner.scrubContainer(container)
  }

  findings(): readonly ScrubFinding[] | Promise<readonly ScrubFinding[]> {
    return this.inner.findings()
  }

  compact(): Promise<number> {
    return this.inner.compact()
  }

  createPipeline(pipeline: PipelineId, members: readonly PipelineMember[]): Promise<void> {
    return this.inner.createPipeline(pipeline, members)
  }

  closePipeline(pipeline: PipelineId): Promise<void> {
    return this.inner.closePipeline(pipeline)
  }

  pipelines(): readonly PipelineReport[] | Promise<readonly PipelineReport[]> {
    return this.inner.pipelines()
  }

  summarizeReplica(container: ContainerId): Promise<ReplicaSummary> {
    return this.inner.summarizeReplica(container)
  }

  listReplica(page: BlockPage): Promise<readonly BlockInfo[]> {
    return this.inner.listReplica(page)
  }

  readBlocks(blocks: readonly BlockRange[]): AsyncIterable<Uint8Array> {
    return this.inner.readBlocks(blocks)
  }

  agreeBlock(agreed: AgreedBlock, access?: BlockAccess): Promise<void> {
    return this.inner.agreeBlock(agreed, access)
  }
}
