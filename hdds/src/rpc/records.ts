/**
 * The payloads of a datanode's calls, between processes. Each begins with a version; a request then says which datanode
 * it is meant for, because an address may have passed to another one. Bytes of blocks are never in here: they are the
 * bodies of the calls.
 */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
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
  ReadRange,
  ReplicaAccess,
  ReplicaSummary,
  ScrubFinding,
} from '../api/api.ts'

export interface Codec<T> {
  encode(value: T): Uint8Array
  /** Throws a `StoreError` for what cannot be read; `Incompatible` for another version. */
  decode(payload: Uint8Array): T
}

/** A row of items without a count: it ends where the bytes end, so that it can be sent while it is made. */
export interface ItemCodec<T> {
  write(writer: ByteWriter, item: T): void
  read(reader: ByteReader): T
}

export interface Addressed<T> {
  readonly datanode: DatanodeId
  readonly request: T
  /** Of a request that says nothing of access by itself. */
  readonly token?: Uint8Array
}

export interface NewBlock extends ReplicaAccess {
  readonly block: BlockId
  /** Of the body. */
  readonly lengthBytes: number
  /** CRC32C of the body. */
  readonly checksum: number
}

export interface OpenedBlock extends ReplicaAccess {
  readonly block: BlockId
}

export interface BlockRead extends BlockAccess {
  readonly block: BlockId
  readonly range: ReadRange
}

export interface NewPipeline {
  readonly pipeline: PipelineId
  readonly members: readonly PipelineMember[]
}

export interface Agreement extends BlockAccess {
  readonly agreed: AgreedBlock
}

const version = 1
/** What a record got later stands behind the rest, under this version. Without any of it a record is as it always was. */
const extendedVersion = 2
const maxLocal = 0xffff_ffff

type Write<T> = (writer: ByteWriter, value: T) => void
type Read<T> = (reader: ByteReader) => T

/** Optional properties that a record got after its first version. */
interface Extras<T> {
  readonly areThere: (value: T) => boolean
  readonly write: Write<T>
  readonly readInto: (value: T, reader: ByteReader) => T
}

function record<T>(write: Write<T>, read: Read<T>, extras?: Extras<T>): Codec<T> {
  return {
    encode: (value) => {
      const isExtended = extras?.areThere(value) === true
      const writer = new ByteWriter(64).u8(isExtended ? extendedVersion : version)
      write(writer, value)
      if (isExtended) extras.write(writer, value)
      return writer.finish()
    },
    decode: (payload) => {
      const reader = new ByteReader(payload)
      const found = reader.u8()
      const later = found === extendedVersion ? extras : undefined
      if (found !== version && later === undefined) {
        throw new StoreError('Incompatible', `the record has the unknown version ${found}`)
      }
      const first = read(reader)
      const value = later === undefined ? first : later.readInto(first, reader)
      if (reader.remaining > 0) throw new StoreError('InvalidArgument', 'something follows the record')
      return value
    },
  }
}

/** A request has its token among its own extras, or, when it has none, beside it. */
function addressed<T>(write: Write<T>, read: Read<T>, extras?: Extras<T>): Codec<Addressed<T>> {
  return record<Addressed<T>>(
    (writer, { datanode, request }) => {
      writer.utf8(datanode)
      write(writer, request)
    },
    (reader) => ({ datanode: reader.utf8(), request: read(reader) }),
    extras === undefined
      ? {
          areThere: ({ token }) => token !== undefined,
          write: (writer, { token }) => void writer.optional(token, writeBytes),
          readInto: (value, reader) =>
            withSome<Addressed<T>, Pick<Addressed<T>, 'token'>>(value, { token: reader.optional(readBytes) }),
        }
      : {
          areThere: ({ request }) => extras.areThere(request),
          write: (writer, { request }) => extras.write(writer, request),
          readInto: ({ datanode, request }, reader) => ({ datanode, request: extras.readInto(request, reader) }),
        },
  )
}

/** Properties that are undefined are left out. */
function withSome<T, Extra extends object>(value: T, extra: { readonly [K in keyof Extra]: Extra[K] | undefined }): T {
  const there = Object.entries(extra).filter(([, each]) => each !== undefined)
  return { ...value, ...Object.fromEntries(there) }
}

const writeBytes = (writer: ByteWriter, bytes: Uint8Array): void => void writer.bytes(bytes)
const readBytes = (reader: ByteReader): Uint8Array => reader.bytes()
const writeText = (writer: ByteWriter, text: string): void => void writer.utf8(text)
const readText = (reader: ByteReader): string => reader.utf8()

/** How a replica is reached. */
const replicaAccess = <T extends ReplicaAccess>(): Extras<T> => ({
  areThere: ({ pipeline, token }) => pipeline !== undefined || token !== undefined,
  write: (writer, { pipeline, token }) => void writer.optional(pipeline, writeText).optional(token, writeBytes),
  readInto: (value, reader) =>
    withSome<T, ReplicaAccess>(value, { pipeline: reader.optional(readText), token: reader.optional(readBytes) }),
})

const blockAccess = <T extends BlockAccess>(): Extras<T> => ({
  areThere: ({ token }) => token !== undefined,
  write: (writer, { token }) => void writer.optional(token, writeBytes),
  readInto: (value, reader) => withSome<T, BlockAccess>(value, { token: reader.optional(readBytes) }),
})

function writeBlockId(writer: ByteWriter, { container, local }: BlockId): void {
  writer.varint(container).varint(local)
}

function readBlockId(reader: ByteReader): BlockId {
  return { container: readContainerId(reader), local: readNumber(reader, 1, maxLocal) }
}

function readContainerId(reader: ByteReader): ContainerId {
  return readNumber(reader, 1, Number.MAX_SAFE_INTEGER)
}

function readCount(reader: ByteReader): number {
  return readNumber(reader, 0, Number.MAX_SAFE_INTEGER)
}

function readNumber(reader: ByteReader, least: number, most: number): number {
  const value = reader.varint()
  if (value >= least && value <= most) return value
  throw new StoreError('InvalidArgument', `${value} is not between ${least} and ${most}`)
}

// -------------------------------------------------------------------------------------------------------- requests

export const plainRequest = addressed<undefined>(
  () => {},
  () => undefined,
)

export const containerRequest = addressed<ContainerId>((writer, id) => writer.varint(id), readContainerId)

export const openedBlockRequest = addressed<OpenedBlock>(
  (writer, { block }) => writeBlockId(writer, block),
  (reader) => ({ block: readBlockId(reader) }),
  replicaAccess<OpenedBlock>(),
)

export const newBlockRequest = addressed<NewBlock>(
  (writer, { block, lengthBytes, checksum }) => {
    writeBlockId(writer, block)
    writer.varint(lengthBytes).u32(checksum)
  },
  (reader) => ({ block: readBlockId(reader), lengthBytes: readCount(reader), checksum: reader.u32() }),
  replicaAccess<NewBlock>(),
)

export const readRequest = addressed<BlockRead>(
  (writer, { block, range }) => {
    writeBlockId(writer, block)
    writer.varint(range.offset).varint(range.length)
  },
  (reader) => ({ block: readBlockId(reader), range: { offset: readCount(reader), length: readCount(reader) } }),
  blockAccess<BlockRead>(),
)

export const rangesRequest = addressed<readonly BlockRange[]>(
  (writer, ranges) =>
    writer.list(ranges, (each, { container, firstLocal, count }) => {
      each.varint(container).varint(firstLocal).varint(count)
    }),
  (reader) =>
    reader.list((each) => ({
      container: readContainerId(each),
      firstLocal: readNumber(each, 1, maxLocal),
      count: readNumber(each, 0, maxLocal),
    })),
)

export const pageRequest = addressed<BlockPage>(
  (writer, { container, after, limit }) => writer.varint(container).varint(after).varint(limit),
  (reader) => ({
    container: readContainerId(reader),
    after: readNumber(reader, 0, maxLocal),
    limit: readNumber(reader, 1, maxLocal),
  }),
)

export const newPipelineRequest = addressed<NewPipeline>(
  (writer, { pipeline, members }) => {
    writer.utf8(pipeline)
    writer.list(members, (each, { datanode, address }) => each.utf8(datanode).utf8(address))
  },
  (reader) => ({
    pipeline: reader.utf8(),
    members: reader.list((each) => ({ datanode: each.utf8(), address: each.utf8() })),
  }),
)

export const pipelineRequest = addressed<PipelineId>(writeText, readText)

export const agreementRequest = addressed<Agreement>(
  (writer, { agreed: { pipeline, block, lengthBytes, checksum, holders } }) => {
    writer.utf8(pipeline)
    writeBlockId(writer, block)
    writer.varint(lengthBytes).u32(checksum).list(holders, writeText)
  },
  (reader) => ({
    agreed: {
      pipeline: reader.utf8(),
      block: readBlockId(reader),
      lengthBytes: readCount(reader),
      checksum: reader.u32(),
      holders: reader.list(readText),
    },
  }),
  blockAccess<Agreement>(),
)

// --------------------------------------------------------------------------------------------------------- replies

export const done = record<undefined>(
  () => {},
  () => undefined,
)

export const byteCount = record<number>((writer, bytes) => writer.varint(bytes), readCount)

// The order is sent: append, never reorder.
const seals: readonly ReplicaSummary['seal'][] = ['none', 'agreed', 'alone', 'origin']

export const replicaSummary = record<ReplicaSummary>(
  (writer, { seal, damaged, generation, liveBytes, blockCount, contentHash }) => {
    writer.u8(seals.indexOf(seal)).bool(damaged).varint(generation).varint(liveBytes).varint(blockCount)
    writer.optional(contentHash, writeText)
  },
  (reader) =>
    withSome<ReplicaSummary, Pick<ReplicaSummary, 'contentHash'>>(
      {
        seal: pick(seals, reader.u8()),
        damaged: reader.bool(),
        generation: readCount(reader),
        liveBytes: readCount(reader),
        blockCount: readCount(reader),
      },
      { contentHash: reader.optional(readText) },
    ),
)

export const receipt = record<BlockReceipt>(
  (writer, { block, lengthBytes, datanodes }) => {
    writeBlockId(writer, block)
    writer.varint(lengthBytes).list(datanodes, (each, id) => each.utf8(id))
  },
  (reader) => ({
    block: readBlockId(reader),
    lengthBytes: readCount(reader),
    datanodes: reader.list((each) => each.utf8()),
  }),
  {
    areThere: isAttested,
    write: (writer, { checksum, proofs }) => {
      writer.optional(checksum, (each, value) => each.u32(value))
      writer.optional(proofs, (each, list) => each.list(list, writeBytes))
    },
    readInto: (value, reader) =>
      withSome<BlockReceipt, Pick<BlockReceipt, 'checksum' | 'proofs'>>(value, {
        checksum: reader.optional((each) => each.u32()),
        proofs: reader.optional((each) => each.list(readBytes)),
      }),
  },
)

/** It says more than where the block is. */
export function isAttested({ checksum, proofs }: BlockReceipt): boolean {
  return checksum !== undefined || proofs !== undefined
}

// ----------------------------------------------------------------------------------------------------------- items

// The order of each of these is sent: append, never reorder.
/** An origin that is `QUASI_CLOSED` has a word of its own. */
const containerStates = ['OPEN', 'CLOSED', 'UNHEALTHY', 'QUASI_CLOSED', 'ORIGIN'] as const
const pipelineStates: readonly PipelineReport['state'][] = ['open', 'failed']
const diskStates: readonly DiskReport['state'][] = ['healthy', 'failed', 'full']
const findingKinds: readonly ScrubFinding['kind'][] = ['damaged-chunk', 'unreadable', 'index-mismatch', 'quarantined']

function pick<T>(values: readonly T[], index: number): T {
  const value = values[index]
  if (value === undefined) throw new StoreError('Incompatible', `the number ${index} has no meaning here`)
  return value
}

export const blockInfo: ItemCodec<BlockInfo> = {
  write: (writer, { block, lengthBytes, checksum }) => {
    writeBlockId(writer, block)
    writer.varint(lengthBytes).optional(checksum, (each, value) => each.u32(value))
  },
  read: (reader) => {
    const info = { block: readBlockId(reader), lengthBytes: readCount(reader) }
    const checksum = reader.optional((each) => each.u32())
    return checksum === undefined ? info : { ...info, checksum }
  },
}

export const containerReport: ItemCodec<ContainerReport> = {
  write: (writer, { isOrigin, ...report }) => {
    const { id, state, generation, usedBytes, liveBytes, blockCount, contentHash, pipeline, open } = report
    writer
      .varint(id)
      .u8(containerStates.indexOf(isOrigin ? 'ORIGIN' : state))
      .varint(generation)
    writer.varint(usedBytes).varint(liveBytes).varint(blockCount)
    writer.optional(contentHash, writeText).optional(pipeline, writeText)
    writer.optional(open, (each, value) => each.bool(value))
  },
  read: (reader) => {
    const id = readContainerId(reader)
    const word = pick(containerStates, reader.u8())
    return withSome<ContainerReport, Pick<ContainerReport, 'contentHash' | 'pipeline' | 'open' | 'isOrigin'>>(
      {
        id,
        state: word === 'ORIGIN' ? 'QUASI_CLOSED' : word,
        generation: readCount(reader),
        usedBytes: readCount(reader),
        liveBytes: readCount(reader),
        blockCount: readCount(reader),
      },
      {
        contentHash: reader.optional(readText),
        pipeline: reader.optional(readText),
        open: reader.optional((each) => each.bool()),
        isOrigin: word === 'ORIGIN' ? true : undefined,
      },
    )
  },
}

export const pipelineReport: ItemCodec<PipelineReport> = {
  write: (writer, { id, state, leader, term }) => {
    writer.utf8(id).u8(pipelineStates.indexOf(state)).optional(leader, writeText).varint(term)
  },
  read: (reader) => ({
    id: reader.utf8(),
    state: pick(pipelineStates, reader.u8()),
    leader: reader.optional(readText),
    term: readCount(reader),
  }),
}

export const diskReport: ItemCodec<DiskReport> = {
  write: (writer, { path, uuid, state, totalBytes, availableBytes, usedBytes, problem }) => {
    writer.utf8(path).utf8(uuid).u8(diskStates.indexOf(state))
    writer.varint(totalBytes).varint(availableBytes).varint(usedBytes).optional(problem, writeText)
  },
  read: (reader) =>
    withSome<DiskReport, Pick<DiskReport, 'problem'>>(
      {
        path: reader.utf8(),
        uuid: reader.utf8(),
        state: pick(diskStates, reader.u8()),
        totalBytes: readCount(reader),
        availableBytes: readCount(reader),
        usedBytes: readCount(reader),
      },
      { problem: reader.optional(readText) },
    ),
}

export const scrubFinding: ItemCodec<ScrubFinding> = {
  write: (writer, { kind, container, local, path, fileOffset, message }) => {
    writer.u8(findingKinds.indexOf(kind)).varint(container)
    writer.optional(local, (each, value) => each.varint(value))
    writer.utf8(path).varint(fileOffset).utf8(message)
  },
  read: (reader) => {
    const kind = pick(findingKinds, reader.u8())
    const container = readContainerId(reader)
    const local = reader.optional(readCount)
    const rest = { path: reader.utf8(), fileOffset: readCount(reader), message: reader.utf8() }
    return local === undefined ? { kind, container, ...rest } : { kind, container, local, ...rest }
  },
}
