import type { Table } from '@o3/ratis/api'
import { ByteReader, ByteWriter, readU64Key, u64Key } from '@o3/common/codec'
import { ecPolicies, replicationConfigs } from '../../api/api.ts'
import type {
  ContainerId,
  ContainerState,
  DatanodeId,
  EcPolicy,
  LocalId,
  PipelineId,
  ReplicationConfig,
} from '../../api/api.ts'
import { pick, readId, readText, readVersion, writeId, writeText } from './row-codec.ts'

/** Into what a container is encoded: its shards in the order of the code, each a container of its own. */
export interface EncodedAs {
  readonly policy: EcPolicy
  readonly shards: readonly ContainerId[]
  /** In the shards. Undefined while they are being made, and where an earlier release made them. */
  readonly blocks?: number | undefined
  /** Recorded deletions whose blocks are not in the shards. Once their records have gone, undefined. */
  readonly leaveOut?: LeftOut | undefined
}

/**
 * Of the recorded deletions of one container all up to a transaction. Records are numbered in the order in which they are made, so
 * this is the same set whenever it is looked at: what is recorded later comes behind it.
 */
export interface LeftOut {
  readonly upTo: number
  /** That the records name. */
  readonly blocks: number
}

export interface ContainerRow {
  readonly state: ContainerState
  readonly replication: ReplicationConfig
  /** Through which it is written; undefined for `RATIS/ONE`, and once the container is neither open nor closing. */
  readonly pipeline: PipelineId | undefined
  /**
   * Where replicas are known to be. Kept, so that a restart serves reads at once. Every deletion of a block waits for each of
   * them.
   */
  readonly datanodes: readonly DatanodeId[]
  /** Where copies are being made. While there are any, no deletion is carried out. */
  readonly incoming: readonly DatanodeId[]
  /** How many copies were ever begun: what was said of a deletion before the last one does not count (`DeletionRow`). */
  readonly copies: number
  /** The datanodes that took its writes: any majority of them has every block that was acknowledged. */
  readonly origins: readonly DatanodeId[]
  readonly createdMs: number
  readonly nextLocal: LocalId
  /** Shards that are being made of it: its replicas are still what is read. */
  readonly encoding: EncodedAs | undefined
  /** Shards that are all there: its replicas, if any are left, are to go. */
  readonly ec: EncodedAs | undefined
  /** Of which container it is a shard, and which one. A shard never takes allocations, and goes when its parent does. */
  readonly shardOf: { readonly container: ContainerId; readonly index: number } | undefined
  /** Blocks that were deleted since it was encoded and are still in the shards, some perhaps counted twice: when to encode it anew. */
  readonly deletedBlocks: number
}

// The order is persisted: append, never reorder.
const containerStates: readonly ContainerState[] = ['OPEN', 'CLOSING', 'QUASI_CLOSED', 'CLOSED', 'DELETING', 'DELETED']

const version = 3

function writeEncoded(writer: ByteWriter, { policy, shards, blocks, leaveOut }: EncodedAs): void {
  writer
    .u8(ecPolicies.indexOf(policy))
    .list(shards, writeId)
    .optional(blocks, (to, each) => to.varint(each))
    .optional(leaveOut, (to, each) => to.varint(each.upTo).varint(each.blocks))
}

function readEncoded(reader: ByteReader): EncodedAs {
  return {
    ...readPlainlyEncoded(reader),
    blocks: reader.optional((from) => from.varint()),
    leaveOut: reader.optional((from) => ({ upTo: from.varint(), blocks: from.varint() })),
  }
}

/** Version 2 knew of no encoding that leaves anything out. */
function readPlainlyEncoded(reader: ByteReader): EncodedAs {
  return { policy: pick(ecPolicies, reader.u8()), shards: reader.list(readId) }
}

/** Version 1 knew one replica only, and gave it a pipeline by name that was none. */
function readFirstVersion(reader: ByteReader): ContainerRow {
  const state = pick(containerStates, reader.u8())
  const replication = pick(replicationConfigs, reader.u8())
  reader.utf8()
  const datanodes = reader.list(readText)
  return {
    ...untouched,
    state,
    replication,
    datanodes,
    origins: datanodes,
    createdMs: reader.varint(),
    nextLocal: reader.varint(),
  }
}

/** A container that nothing has happened to yet. */
export const untouched = {
  pipeline: undefined,
  incoming: [],
  copies: 0,
  encoding: undefined,
  ec: undefined,
  shardOf: undefined,
  deletedBlocks: 0,
} as const satisfies Partial<ContainerRow>

export const containers: Table<ContainerId, ContainerRow> = {
  name: 'containers',
  prefix: 'c',
  encodeKey: u64Key,
  decodeKey: (binary) => readU64Key(binary, 0),
  encode: (row) =>
    new ByteWriter()
      .u8(version)
      .u8(containerStates.indexOf(row.state))
      .u8(replicationConfigs.indexOf(row.replication))
      .optional(row.pipeline, writeText)
      .list(row.datanodes, writeText)
      .list(row.incoming, writeText)
      .varint(row.copies)
      .list(row.origins, writeText)
      .varint(row.createdMs)
      .varint(row.nextLocal)
      .optional(row.encoding, writeEncoded)
      .optional(row.ec, writeEncoded)
      .optional(row.shardOf, (writer, { container, index }) => writer.varint(container).varint(index))
      .varint(row.deletedBlocks)
      .finish(),
  decode: (bytes) => {
    const reader = new ByteReader(bytes)
    const found = readVersion(reader, 'container', version)
    if (found === 1) return readFirstVersion(reader)
    const readEncoding = found === 2 ? readPlainlyEncoded : readEncoded
    return {
      state: pick(containerStates, reader.u8()),
      replication: pick(replicationConfigs, reader.u8()),
      pipeline: reader.optional(readText),
      datanodes: reader.list(readText),
      incoming: reader.list(readText),
      copies: reader.varint(),
      origins: reader.list(readText),
      createdMs: reader.varint(),
      nextLocal: reader.varint(),
      encoding: reader.optional(readEncoding),
      ec: reader.optional(readEncoding),
      shardOf: reader.optional((each) => ({ container: each.varint(), index: each.varint() })),
      deletedBlocks: reader.varint(),
    }
  },
}

/** Of so many datanodes, those that a majority has. */
export function majorityOf(members: number): number {
  return Math.floor(members / 2) + 1
}
