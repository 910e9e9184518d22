/** A datanode in another process. */

import { StoreError } from '@o3/common/errors'
import type { RpcBody, RpcResult } from '@o3/common/rpc'
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
  Datanode,
  PipelineMembership,
  ReadAccess,
  ReadRange,
  ReadSignal,
  ReplicaAccess,
  ReplicaSource,
  ReplicaSummary,
  ScrubFinding,
} from '../api/api.ts'
import { checksumOf } from '../rpc/arrival.ts'
import { readListing } from '../rpc/listing.ts'
import { listings } from '../rpc/methods.ts'
import type { ExchangeName, ItemOf, ListingName, ReplyOf, RequestOf } from '../rpc/methods.ts'
import type { ItemCodec } from '../rpc/records.ts'
import { DatanodeChannel, unreadable } from './datanode-channel.ts'
import type { DatanodeChannelOptions, Lane } from './datanode-channel.ts'
import { plainBytes } from './plain-bytes.ts'
import { openRemoteWriter } from './remote-block-writer.ts'
import { remoteBlocks } from './remote-blocks.ts'
import { RemotePieces, assertRange } from './remote-pieces.ts'

export interface RemoteDatanodeOptions extends DatanodeChannelOptions {
  /**
   * The longest that one step may take: a call, a piece of a read, a write of a stream. Calls that wait for others by
   * their nature (closing and deleting a container, scrubbing, compaction) have no limit but the connection. Default 60 s.
   */
  readonly deadlineMs?: number
}

const defaultDeadlineMs = 60_000
/** What leaves in one frame with its call; longer bodies are streamed, and would hold up the calls behind them. */
const smallBytes = 64 * 1024

interface Carried {
  readonly lane: Lane
  readonly body?: RpcBody
  readonly deadline: 'limited' | 'none'
  readonly signal?: ReadSignal
}

const control: Carried = { lane: 'control', deadline: 'limited' }
const patient: Carried = { lane: 'control', deadline: 'none' }

/**
 * The same promises as of a datanode in this process. Beside its refusals: `Unavailable` when it cannot be reached, or
 * another datanode answers in its place; `writeBlock`, `commit` and `agreeBlock` then reject with `OutcomeUnknown` or `DeadlineExceeded`
 * when the block may be there all the same (the same `writeBlock` again tells). Nothing is sent twice but a read whose
 * first byte has not come. Memory that was given to a call may be used again when it has settled, also while the last bytes
 * of a call that was given up are still on their way: the datanode refuses what is not what was sent.
 */
export class RemoteDatanode implements Datanode, PipelineMembership, ReplicaSource {
  readonly id: DatanodeId
  private readonly channel: DatanodeChannel
  private readonly deadlineMs: number

  constructor(options: RemoteDatanodeOptions) {
    this.id = options.id
    this.channel = new DatanodeChannel(options)
    this.deadlineMs = options.deadlineMs ?? defaultDeadlineMs
  }

  /** Its connections close when the calls under way have ended; a later call makes them anew. */
  retire(): void {
    this.channel.retire()
  }

  /** Calls under way reject with `Unavailable` or `OutcomeUnknown`, later ones with `Closed`. Idempotent. */
  close(): void {
    this.channel.close()
  }

  // ------------------------------------------------------------------------------------------------------ blocks

  async writeBlock(block: BlockId, pieces: readonly Uint8Array[], access?: ReplicaAccess): Promise<BlockReceipt> {
    let lengthBytes = 0
    for (const piece of pieces) lengthBytes += piece.length
    if (lengthBytes > maxChunkBytes) {
      throw new StoreError('InvalidArgument', `a block in one message has at most ${maxChunkBytes} bytes`)
    }
    const how: Carried = { lane: laneOf(lengthBytes), deadline: 'limited', ...bodyOf(pieces, lengthBytes) }
    try {
      const request = { block, lengthBytes, checksum: checksumOf(pieces), ...access }
      return await this.channel.use(() => this.ask('hdds.writeBlock.1', request, how))
    } catch (error) {
      throw this.channel.withEffect(error)
    }
  }

  async openWriter(block: BlockId, access: ReplicaAccess = {}): Promise<BlockWriter> {
    return await openRemoteWriter({ channel: this.channel, block, access, deadlineMs: this.deadlineMs })
  }

  read(block: BlockId, range: ReadRange, access: BlockAccess = {}): AsyncIterable<Uint8Array> {
    const { channel, deadlineMs: silenceMs } = this
    return new RemotePieces({ channel, block, range, access, silenceMs })
  }

  async readSmall(block: BlockId, range: ReadRange, { signal, ...access }: ReadAccess = {}): Promise<Uint8Array> {
    assertRange(range)
    return await this.repeatable(async () => {
      const how: Carried = { lane: laneOf(range.length), deadline: 'limited', ...(signal && { signal }) }
      const { body } = await this.call('hdds.readSmall.1', { block, range, ...access }, how)
      return await gather(body, range.length)
    })
  }

  async deleteBlocks(blocks: readonly BlockRange[]): Promise<void> {
    await this.repeatable(() => this.ask('hdds.deleteBlocks.1', blocks, control))
  }

  // -------------------------------------------------------------------------------------------------- containers

  async createContainer(container: ContainerId): Promise<void> {
    await this.repeatable(() => this.ask('hdds.createContainer.1', container, control))
  }

  async closeContainer(container: ContainerId): Promise<void> {
    await this.repeatable(() => this.ask('hdds.closeContainer.1', container, patient))
  }

  async deleteContainer(container: ContainerId): Promise<void> {
    await this.repeatable(() => this.ask('hdds.deleteContainer.1', container, patient))
  }

  async listBlocks(container: ContainerId): Promise<readonly BlockInfo[]> {
    return await this.list('hdds.listBlocks.2', container, control)
  }

  async containers(): Promise<readonly ContainerReport[]> {
    return await this.list('hdds.containers.3', undefined, control)
  }

  async disks(): Promise<readonly DiskReport[]> {
    return await this.list('hdds.disks.2', undefined, control)
  }

  // ------------------------------------------------------------------------------------------------- maintenance

  async scrubContainer(container: ContainerId): Promise<readonly ScrubFinding[]> {
    return await this.list('hdds.scrubContainer.1', container, patient)
  }

  async findings(): Promise<readonly ScrubFinding[]> {
    return await this.list('hdds.findings.1', undefined, control)
  }

  async compact(): Promise<number> {
    return await this.repeatable(() => this.ask('hdds.compact.1', undefined, patient))
  }

  // --------------------------------------------------------------------------------------------------- pipelines

  async createPipeline(pipeline: PipelineId, members: readonly PipelineMember[]): Promise<void> {
    await this.repeatable(() => this.ask('hdds.createPipeline.1', { pipeline, members }, control))
  }

  async closePipeline(pipeline: PipelineId): Promise<void> {
    await this.repeatable(() => this.ask('hdds.closePipeline.1', pipeline, patient))
  }

  async pipelines(): Promise<readonly PipelineReport[]> {
    return await this.list('hdds.pipelines.1', undefined, control)
  }

  async agreeBlock(agreed: AgreedBlock, access?: BlockAccess): Promise<void> {
    try {
      await this.channel.use(() => this.ask('hdds.agreeBlock.1', { agreed, ...access }, control))
    } catch (error) {
      throw this.channel.withEffect(error)
    }
  }

  // ----------------------------------------------------------------------------------------------------- replicas

  async summarizeReplica(container: ContainerId): Promise<ReplicaSummary> {
    return await this.repeatable(() => this.ask('hdds.summarizeReplica.1', container, patient))
  }

  async listReplica(page: BlockPage): Promise<readonly BlockInfo[]> {
    return await this.list('hdds.listReplica.1', page, control)
  }

  readBlocks(blocks: readonly BlockRange[]): AsyncIterable<Uint8Array> {
    const { channel, deadlineMs: silenceMs } = this
    return remoteBlocks({ channel, blocks, silenceMs })
  }

  // -------------------------------------------------------------------------------------------------------- calls

  private async ask<Name extends ExchangeName>(
    name: Name,
    request: RequestOf<Name>,
    how: Carried,
  ): Promise<ReplyOf<Name>> {
    const { payload } = await this.call(name, request, how)
    return this.channel.decode(name, payload)
  }

  private async list<Name extends ListingName>(
    name: Name,
    request: RequestOf<Name>,
    how: Carried,
  ): Promise<readonly ItemOf<Name>[]> {
    return await this.repeatable(async () => {
      const { body } = await this.call(name, request, how)
      const items = listings[name].items as ItemCodec<unknown> as ItemCodec<ItemOf<Name>>
      return await readListing(items, body ?? nothing())
    })
  }

  private call<Name extends ExchangeName | ListingName>(
    name: Name,
    request: RequestOf<Name>,
    { lane, body, deadline, signal }: Carried,
  ): Promise<RpcResult> {
    const { channel, deadlineMs } = this
    return channel.call(lane, name, channel.encode(name, request), {
      ...(deadline === 'limited' ? { deadlineMs } : {}),
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    })
  }

  /** For calls that may be made again, whatever became of them. */
  private async repeatable<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await this.channel.use(action)
    } catch (error) {
      throw this.channel.withoutEffect(error)
    }
  }
}

function laneOf(lengthBytes: number): Lane {
  return lengthBytes <= smallBytes ? 'control' : 'bulk'
}

/** Small ones leave with their call, which takes one array; large pieces as they are. */
function bodyOf(pieces: readonly Uint8Array[], lengthBytes: number): { readonly body?: RpcBody } {
  const [only] = pieces
  if (lengthBytes === 0) return {}
  if (pieces.length === 1 && only !== undefined) return { body: only }
  if (lengthBytes <= smallBytes) return { body: Buffer.concat(pieces, lengthBytes) }
  return { body: inTurn(pieces) }
}

async function* inTurn(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, undefined> {
  yield* pieces
}

/** Exactly so many bytes, in one piece. */
async function gather(body: AsyncIterable<Uint8Array> | undefined, length: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let received = 0
  for await (const piece of body ?? nothing()) {
    received += piece.length
    if (received > length) break
    pieces.push(piece)
  }
  if (received !== length) {
    throw unreadable('hdds.readSmall.1', new StoreError('IncompleteBody', 'the answer has not the length of the range'))
  }
  const [only] = pieces
  return plainBytes(pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, length))
}

async function* nothing(): AsyncGenerator<Uint8Array, undefined> {}
