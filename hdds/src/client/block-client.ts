/** The block client: finds the datanodes of a container and calls them. */

import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { Metrics } from '@o3/common/metrics'
import type { BlockId, ContainerId, DatanodeId, PipelineId, ScmLocationProtocol } from '@o3/scm/api'
import type { BlockAccess, BlockReceipt, BlockStore, BlockWriter, Datanode, ReadRange } from '../api/api.ts'
import { HedgePolicy } from '../core/hedge-policy.ts'
import { mayHaveMoved } from '../core/replica-failures.ts'
import { clientMetrics } from './client-metrics.ts'
import { GivingUp } from './giving-up.ts'
import { ContainerPlaces, placeText, unreachableContainer } from './container-places.ts'
import type { BlockReplica, EncodedPlace, FindDatanode, KnownDatanode, KnownPlace } from './container-places.ts'
import { PipelineLeaders } from './pipeline-leaders.ts'
import { openPipelineWriter } from './pipeline-writer.ts'
import type { StreamMember } from './pipeline-writer.ts'
import { ReplicaSearch } from './replica-search.ts'
import type { ReadContext } from './replica-search.ts'
import { ReplicatedPieces } from './replicated-pieces.ts'

/** Reads blocks of containers that were erasure-coded. Promises and errors as of `BlockStore`. */
export interface EncodedReader {
  read(place: EncodedPlace, block: BlockId, range: ReadRange, access?: BlockAccess): AsyncIterable<Uint8Array>
  readSmall(place: EncodedPlace, block: BlockId, range: ReadRange, access?: BlockAccess): Promise<Uint8Array>
}

export interface BlockClientOptions {
  readonly env: Pick<Env, 'clock' | 'random'>
  readonly locations: ScmLocationProtocol
  readonly datanode: FindDatanode
  /**
   * Makes what reads encoded containers, which calls `doubt` when a shard is not where it is said to be. Without it their blocks are
   * `Unavailable`.
   */
  readonly encoded?: (doubt: (container: ContainerId) => void) => EncodedReader
  /** Default: counted, and shown to nobody. */
  readonly metrics?: Metrics
  /** The datanode of this process, which is nearer than all others. One without an address is of this process anyway. */
  readonly local?: DatanodeId
  /** Where this process stands, as datanodes say it: `/rack`. */
  readonly rack?: string
  readonly patience?: Partial<BlockPatience>
}

/** How long the client waits for others. */
export interface BlockPatience {
  /**
   * For the leader of a pipeline to take a small block, and for its members to take the beginning of a large one; an
   * election takes about a second. Then the writer goes elsewhere.
   */
  readonly leaderMs: number
  /** For the leader to agree to a streamed block. Longer: all its bytes are durable already. */
  readonly agreementMs: number
  /** For one member's answer, before another is asked. */
  readonly tryMs: number
  /** For the last members of a stream, all together, beyond the time that the majority takes. */
  readonly graceMs: number
  /** For a majority of a pipeline to take one step of a stream: longer than any disk that lives. */
  readonly streamMs: number
  /** For a piece of a read, while there is another replica. */
  readonly silenceMs: number
}

/** What holds where an option says nothing else. */
export const defaultBlockPatience: BlockPatience = {
  leaderMs: 5_000,
  agreementMs: 15_000,
  tryMs: 2_000,
  graceMs: 250,
  streamMs: 15_000,
  silenceMs: 5_000,
}

/** A container is not encoded anew so often while one small block is read. */
const maxEncodings = 4

type PipelinePlace = KnownPlace & { readonly pipeline: PipelineId }

/**
 * Blocks by the place of their container. A container with one replica (`RATIS/ONE`) is written and read there. One with a
 * pipeline is written through its leader, or at all members at once, and read at any. Places are remembered until one turns
 * out to be wrong: then SCM is asked again, and when it names another place the call is made there.
 *
 * A small write whose outcome is not known is made again, at the same place or at the next leader, because the same block
 * with the same bytes is answered like the first time. What is still not known then is `OutcomeUnknown`.
 */
export class BlockClient implements BlockStore {
  private readonly options: BlockClientOptions
  private readonly patience: BlockPatience
  private readonly places: ContainerPlaces
  private readonly encodedReader: EncodedReader | undefined
  private readonly leaders: PipelineLeaders
  private readonly reading: ReadContext

  constructor(options: BlockClientOptions) {
    const { env, datanode, local, rack, locations } = options
    const { clock, random } = env
    const metrics = clientMetrics(options.metrics)
    this.options = options
    this.patience = { ...defaultBlockPatience, ...options.patience }
    const { tryMs, silenceMs } = this.patience
    this.places = new ContainerPlaces(locations, clock)
    this.encodedReader = options.encoded?.((container) => {
      const place = this.places.get(container)
      if (place !== undefined) this.places.doubt(place)
    })
    this.leaders = new PipelineLeaders({ clock, random, datanode, metrics, local, tryMs })
    const hedging = new HedgePolicy()
    this.reading = { clock, places: this.places, datanode, hedging, metrics, local, rack, silenceMs }
  }

  async writeBlock(block: BlockId, pieces: readonly Uint8Array[], access?: BlockAccess): Promise<BlockReceipt> {
    const place = this.places.get(block.container) ?? (await this.places.locate(block.container))
    if (!isPipelined(place))
      return await this.atOne(place, (datanode) => writeTwice(datanode, block, { pieces, access }))
    return await this.leaders.call({
      place,
      deadlineMs: this.patience.leaderMs,
      act: (datanode) => datanode.writeBlock(block, pieces, { ...access, pipeline: place.pipeline }),
      locateAgain: (failure) => this.places.locateAgain(block.container, failure),
    })
  }

  async openWriter(block: BlockId, access?: BlockAccess): Promise<BlockWriter> {
    const place = await this.placeOf(block)
    if (!isPipelined(place)) return await this.atOne(place, (datanode) => datanode.openWriter(block, access))
    const before = placeText(place)
    try {
      return await this.openAtAll(place, block, access)
    } catch (error) {
      if (!mayHaveMoved(error)) throw error
      const found = await this.places.locateAgain(block.container, error)
      if (!isPipelined(found) || placeText(found) === before) throw error
      try {
        return await this.openAtAll(found, block, access)
      } catch (again) {
        // Whoever took the first attempt has spent the id: the caller has done nothing wrong, and wants another block.
        throw isStoreError(again, 'InvalidArgument') ? error : again
      }
    }
  }

  read(block: BlockId, range: ReadRange, access?: BlockAccess): AsyncIterable<Uint8Array> {
    const known = this.places.get(block.container)
    // The usual case in one process costs no iterator of our own around the datanode's.
    const here = known === undefined ? undefined : this.onlyHere(known)
    if (here !== undefined) return here.read(block, range, access)
    const { clock, silenceMs } = this.reading
    return new ReplicatedPieces({
      clock,
      block,
      range,
      access,
      silenceMs,
      search: async () => new ReplicaSearch(this.reading, block, await this.placeOf(block)),
      encoded: (place, rest) => this.encoded(place).read(place, block, rest, access),
    })
  }

  async readSmall(block: BlockId, range: ReadRange, access?: BlockAccess): Promise<Uint8Array> {
    const place = this.places.get(block.container) ?? (await this.places.locate(block.container))
    const here = this.onlyHere(place)
    if (here !== undefined) return await here.readSmall(block, range, access)
    const search = new ReplicaSearch(this.reading, block, place)
    for (let attempt = 1; ; attempt++) {
      const found = await search.find(({ datanode }) => {
        const signal = new GivingUp()
        return { answer: datanode.readSmall(block, range, { ...access, signal }), cancel: () => signal.giveUp() }
      })
      if (found.kind === 'answer') return found.value
      try {
        return await this.encoded(found.place).readSmall(found.place, block, range, access)
      } catch (error) {
        if (attempt === maxEncodings) throw error
        await search.leftEncoded(error)
      }
    }
  }

  /**
   * Where there is one replica and no way to it but through this process, there is no choice, and nothing that moves: what
   * has no address cannot be copied by another datanode either.
   */
  private onlyHere({ members }: KnownPlace): BlockReplica | undefined {
    const [only] = members
    if (only === undefined || only.address !== undefined || members.length > 1) return undefined
    return this.options.datanode(only.id, undefined)
  }

  private placeOf({ container }: BlockId): KnownPlace | Promise<KnownPlace> {
    return this.places.get(container) ?? this.places.locate(container)
  }

  private encoded({ container }: EncodedPlace): EncodedReader {
    if (this.encodedReader !== undefined) return this.encodedReader
    throw new StoreError('Unavailable', 'this process reads no erasure-coded containers', { details: { container } })
  }

  /** Writes to a container without a log: only one that never had another replica takes them. */
  private async atOne<T>(place: KnownPlace, act: (datanode: Datanode) => Promise<T>): Promise<T> {
    const { container } = place
    const { member, datanode } = this.only(place)
    const { address } = member
    try {
      return await act(datanode)
    } catch (error) {
      if (address === undefined || !mayHaveMoved(error)) throw error
      const found = this.only(await this.places.locateAgain(container, error))
      if (found.member.id === member.id && found.member.address === address) throw error
      return await act(found.datanode)
    }
  }

  private only({ container, replication, members }: KnownPlace): {
    readonly member: KnownDatanode
    readonly datanode: BlockReplica
  } {
    if (replication !== 'RATIS/ONE') {
      throw new StoreError('Unavailable', `container ${container} takes no blocks any more`, { details: { container } })
    }
    for (const member of members) {
      const datanode = this.options.datanode(member.id, member.address)
      if (datanode !== undefined) return { member, datanode }
    }
    throw unreachableContainer(container)
  }

  private async openAtAll(place: PipelinePlace, block: BlockId, access: BlockAccess | undefined): Promise<BlockWriter> {
    const { pipeline, container } = place
    const { clock, metrics, local } = this.reading
    const members = place.members.map((known): StreamMember => ({
      known,
      datanode: this.options.datanode(known.id, known.address),
    }))
    return await openPipelineWriter({
      clock,
      metrics,
      local,
      block,
      access: { ...access, pipeline },
      members,
      graceMs: this.patience.graceMs,
      openMs: this.patience.leaderMs,
      deadlineMs: this.patience.streamMs,
      agree: (agreed) =>
        this.leaders.call({
          place,
          deadlineMs: this.patience.agreementMs,
          act: (datanode) => datanode.agreeBlock(agreed, access),
          locateAgain: (failure) => this.places.locateAgain(container, failure),
        }),
    })
  }
}

function isPipelined(place: KnownPlace): place is PipelinePlace {
  return place.pipeline !== undefined
}

interface SmallBlock {
  readonly pieces: readonly Uint8Array[]
  readonly access: BlockAccess | undefined
}

async function writeTwice(datanode: Datanode, block: BlockId, { pieces, access }: SmallBlock): Promise<BlockReceipt> {
  try {
    return await datanode.writeBlock(block, pieces, access)
  } catch (error) {
    if (!isStoreError(error, 'OutcomeUnknown')) throw error
    try {
      return await datanode.writeBlock(block, pieces, access)
    } catch (second) {
      // It is no more known than before, unless the datanode has said something about the block.
      throw isStoreError(second, 'Unavailable', 'Busy', 'DeadlineExceeded') ? error : second
    }
  }
}
