import type { Table } from '@o3/ratis/api'
import { ByteReader, ByteWriter } from '@o3/common/codec'
import type { DatanodeId, NodeOperationalState } from '../../api/api.ts'
import { pick, readText, readVersion, writeText } from './row-codec.ts'

/** Where a datanode stands that has not said so. */
export const defaultRack = '/default'

export interface NodeRow {
  /** `host:port`; undefined when it is called in its process. */
  readonly address: string | undefined
  /** `/rack` or `/room/rack`. */
  readonly rack: string
  readonly operational: NodeOperationalState
  /** When maintenance is over by itself, as wall time; undefined: when an administrator says so. */
  readonly maintenanceUntilMs: number | undefined
  readonly registeredMs: number
}

// The order is persisted: append, never reorder.
const operationalStates: readonly NodeOperationalState[] = [
  'IN_SERVICE',
  'DECOMMISSIONING',
  'DECOMMISSIONED',
  'ENTERING_MAINTENANCE',
  'IN_MAINTENANCE',
]

const version = 3

/** Until version 2 a datanode was always in SCM's process, and said so in the place of an address. */
function readAddress(reader: ByteReader, found: number): string | undefined {
  if (found >= 2) return reader.optional(readText)
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
      .u8(version)
      .optional(row.address, writeText)
      .u8(operationalStates.indexOf(row.operational))
      .varint(row.registeredMs)
      .utf8(row.rack)
      .optional(row.maintenanceUntilMs, (writer, untilMs) => writer.varint(untilMs))
      .finish(),
  decode: (bytes) => {
    const reader = new ByteReader(bytes)
    const found = readVersion(reader, 'node', version)
    const old = {
      address: readAddress(reader, found),
      operational: pick(operationalStates, reader.u8()),
      registeredMs: reader.varint(),
    }
    // Racks and ends of maintenance came with version 3.
    if (found < 3) return { ...old, rack: defaultRack, maintenanceUntilMs: undefined }
    return { ...old, rack: reader.utf8(), maintenanceUntilMs: reader.optional((each) => each.varint()) }
  },
}
