/**
 * The payloads of a datanode's calls, between processes. Each begins with a version; a request then says which datanode
 * it is meant for, because an address may have passed to another one. Bytes of blocks are never in here: they are the
 * bodies of the calls.
 */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { BlockId, BlockRange, ContainerId, ContainerReport, DatanodeId, DiskReport } from '@o3/scm/api'
import type { BlockInfo, BlockReceipt, ReadRange, ScrubFinding } from '../api/api.ts'

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
}

export interface NewBlock {
  readonly block: BlockId
  /** Of the body. */
  readonly lengthBytes: number
  /** CRC32C of the body. */
  readonly checksum: number
}

export interface BlockRead {
  readonly block: BlockId
  readonly range: ReadRange
}

const version = 1
const maxLocal = 0xffff_ffff

type Write<T> = (writer: ByteWriter, value: T) => void
type Read<T> = (reader: ByteReader) => T

function record<T>(write: Write<T>, read: Read<T>): Codec<T> {
  return {
    encode: (value) => {
      const writer = new ByteWriter(64).u8(version)
      write(writer, value)
      return writer.finish()
    },
    decode: (payload) => {
      const reader = new ByteReader(payload)
      const found = reader.u8()
      if (found !== version) throw new StoreError('Incompatible', `the record has the unknown version ${found}`)
      const value = read(reader)
      if (reader.remaining > 0) throw new StoreError('InvalidArgument', 'something follows the record')
      return value
    },
  }
}

function addressed<T>(write: Write<T>, read: Read<T>): Codec<Addressed<T>> {
  return record(
    (writer, { datanode, request }) => {
      writer.utf8(datanode)
      write(writer, request)
    },
    (reader) => ({ datanode: reader.utf8(), request: read(reader) }),
  )
}

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

export const blockRequest = addressed<BlockId>(writeBlockId, readBlockId)

export const newBlockRequest = addressed<NewBlock>(
  (writer, { block, lengthBytes, checksum }) => {
    writeBlockId(writer, block)
    writer.varint(lengthBytes).u32(checksum)
  },
  (reader) => ({ block: readBlockId(reader), lengthBytes: readCount(reader), checksum: reader.u32() }),
)

export const readRequest = addressed<BlockRead>(
  (writer, { block, range }) => {
    writeBlockId(writer, block)
    writer.varint(range.offset).varint(range.length)
  },
  (reader) => ({ block: readBlockId(reader), range: { offset: readCount(reader), length: readCount(reader) } }),
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

// --------------------------------------------------------------------------------------------------------- replies

export const done = record<undefined>(
  () => {},
  () => undefined,
)

export const byteCount = record<number>((writer, bytes) => writer.varint(bytes), readCount)

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
)

// ----------------------------------------------------------------------------------------------------------- items

// The order of each of these is sent: append, never reorder.
const containerStates: readonly ContainerReport['state'][] = ['OPEN', 'CLOSED', 'UNHEALTHY']
const diskStates: readonly DiskReport['state'][] = ['healthy', 'failed', 'full']
const findingKinds: readonly ScrubFinding['kind'][] = ['damaged-chunk', 'unreadable', 'index-mismatch']

function pick<T>(values: readonly T[], index: number): T {
  const value = values[index]
  if (value === undefined) throw new StoreError('Incompatible', `the number ${index} has no meaning here`)
  return value
}

export const blockInfo: ItemCodec<BlockInfo> = {
  write: (writer, { block, lengthBytes }) => {
    writeBlockId(writer, block)
    writer.varint(lengthBytes)
  },
  read: (reader) => ({ block: readBlockId(reader), lengthBytes: readCount(reader) }),
}

export const containerReport: ItemCodec<ContainerReport> = {
  write: (writer, { id, state, generation, usedBytes, liveBytes, blockCount }) => {
    writer.varint(id).u8(containerStates.indexOf(state)).varint(generation)
    writer.varint(usedBytes).varint(liveBytes).varint(blockCount)
  },
  read: (reader) => ({
    id: readContainerId(reader),
    state: pick(containerStates, reader.u8()),
    generation: readCount(reader),
    usedBytes: readCount(reader),
    liveBytes: readCount(reader),
    blockCount: readCount(reader),
  }),
}

export const diskReport: ItemCodec<DiskReport> = {
  write: (writer, { path, uuid, state, totalBytes, availableBytes, usedBytes }) => {
    writer.utf8(path).utf8(uuid).u8(diskStates.indexOf(state))
    writer.varint(totalBytes).varint(availableBytes).varint(usedBytes)
  },
  read: (reader) => ({
    path: reader.utf8(),
    uuid: reader.utf8(),
    state: pick(diskStates, reader.u8()),
    totalBytes: readCount(reader),
    availableBytes: readCount(reader),
    usedBytes: readCount(reader),
  }),
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
