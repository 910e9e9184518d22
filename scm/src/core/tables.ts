/** What SCM remembers. Health, disk space and how full a container is come with heartbeats and are not written down. */

import type { Table } from '@o3/ratis/api'
import { ByteReader, ByteWriter, readU64Key, u64Key } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import { replicationConfigs } from '../api/api.ts'
import type {
  BlockRange,
  ContainerId,
  ContainerState,
  DatanodeId,
  LocalId,
  NodeOperationalState,
  PipelineId,
  ReplicationConfig,
} from '../api/api.ts'

export interface NodeRow {
  /** `host:port`; undefined when it is called in its process. */
  readonly address: string | undefined
  readonly operational: NodeOperationalState
  readonly registeredMs: number
}

export interface ContainerRow {
  readonly state: ContainerState
  readonly replication: ReplicationConfig
  readonly pipeline: PipelineId
  readonly datanodes: readonly DatanodeId[]
  readonly createdMs: number
  readonly nextLocal: LocalId
}

/** Blocks to delete, and the datanodes that have not yet said that they did. */
export interface DeletionRow {
  readonly blocks: readonly BlockRange[]
  readonly waitingFor: readonly DatanodeId[]
}

const version = 1

function open(bytes: Uint8Array, what: string): ByteReader {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version) throw unknownVersion(what, found, version)
  return reader
}

function unknownVersion(what: string, found: number, newest: number): StoreError {
  return new StoreError('Incompatible', `a ${what} row has version ${found}; this release knows ${newest}`)
}

// The order is persisted: append, never reorder.
const operationalStates: readonly NodeOperationalState[] = [
  'IN_SERVICE',
  'DECOMMISSIONING',
  'DECOMMISSIONED',
  'ENTERING_MAINTENANCE',
  'IN_MAINTENANCE',
]
const containerStates: readonly ContainerState[] = ['OPEN', 'CLOSING', 'QUASI_CLOSED', 'CLOSED', 'DELETING', 'DELETED']

function pick<T>(values: readonly T[], index: number): T {
  const value = values[index]
  if (value === undefined) throw new StoreError('Damaged', `a stored state has the unknown number ${index}`)
  return value
}

export function writeRange(writer: ByteWriter, range: BlockRange): void {
  writer.varint(range.container).varint(range.firstLocal).varint(range.count)
}

export function readRange(reader: ByteReader): BlockRange {
  return { container: reader.varint(), firstLocal: reader.varint(), count: reader.varint() }
}

const nodeVersion = 2

/** Until version 2 a datanode was always in SCM's process, and said so in the place of an address. */
function readAddress(reader: ByteReader): string | undefined {
  const found = reader.u8()
  if (found === nodeVersion) return reader.optional((each) => each.utf8())
  if (found !== 1) throw unknownVersion('node', found, nodeVersion)
  const address = reader.utf8()
  return address === 'local' ? undefined : address
}

export const nodes: Table<DatanodeId, NodeRow> = {
  name: 'nodes',
  prefix: 'n',
  encodeKey: (id) => id,
  decodeKey: (binary) => binary,
  encode: (row) =>
    new ByteWriter()
      .u8(nodeVersion)
      .optional(row.address, (writer, address) => writer.utf8(address))
      .u8(operationalStates.indexOf(row.operational))
      .varint(row.registeredMs)
      .finish(),
  decode: (bytes) => {
    const reader = new ByteReader(bytes)
    return {
      address: readAddress(reader),
      operational: pick(operationalStates, reader.u8()),
      registeredMs: reader.varint(),
    }
  },
}

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
      .utf8(row.pipeline)
      .list(row.datanodes, (writer, id) => writer.utf8(id))
      .varint(row.createdMs)
      .varint(row.nextLocal)
      .finish(),
  decode: (bytes) => {
    const reader = open(bytes, 'container')
    return {
      state: pick(containerStates, reader.u8()),
      replication: pick(replicationConfigs, reader.u8()),
      pipeline: reader.utf8(),
      datanodes: reader.list((each) => each.utf8()),
      createdMs: reader.varint(),
      nextLocal: reader.varint(),
    }
  },
}

/** By transaction number: the order in which deletions were asked for. */
export const deletions: Table<number, DeletionRow> = {
  name: 'deletions',
  prefix: 'd',
  encodeKey: u64Key,
  decodeKey: (binary) => readU64Key(binary, 0),
  encode: (row) =>
    new ByteWriter()
      .u8(version)
      .list(row.blocks, writeRange)
      .list(row.waitingFor, (writer, id) => writer.utf8(id))
      .finish(),
  decode: (bytes) => {
    const reader = open(bytes, 'deletion')
    return { blocks: reader.list(readRange), waitingFor: reader.list((each) => each.utf8()) }
  },
}

export type CounterName = 'container' | 'deletion' | 'secret-key'

/** The last number given out of each kind. */
export const counters: Table<CounterName, number> = {
  name: 'counters',
  prefix: 's',
  encodeKey: (name) => name,
  decodeKey: (binary) => binary as CounterName,
  encode: (value) => new ByteWriter(16).u8(version).varint(value).finish(),
  decode: (bytes) => open(bytes, 'counter').varint(),
}

/** A secret key as it is written down. */
export interface SecretKeyRow {
  /** Opens only with the cluster's sealing key, and only under its own id. */
  readonly sealed: Uint8Array
  readonly activeFromMs: number
  readonly expiresMs: number
}

export const secretKeys: Table<number, SecretKeyRow> = {
  name: 'secret-keys',
  prefix: 'k',
  encodeKey: u64Key,
  decodeKey: (binary) => readU64Key(binary, 0),
  encode: (row) =>
    new ByteWriter().u8(version).bytes(row.sealed).varint(row.activeFromMs).varint(row.expiresMs).finish(),
  decode: (bytes) => {
    const reader = open(bytes, 'secret key')
    // The row may be cached for long: not with what it was read from.
    return { sealed: reader.bytes().slice(), activeFromMs: reader.varint(), expiresMs: reader.varint() }
  },
}

export const scmTables = [nodes, containers, deletions, counters, secretKeys] as const
