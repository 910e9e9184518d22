/** What SCM remembers. Health, disk space and how full a container is come with heartbeats and are not written down. */

import type { Table } from '@o3/ratis/api'
import { ByteReader, ByteWriter } from '@o3/common/codec'
import { containers } from './rows/container-row.ts'
import { deletions, encodedDeletions } from './rows/deletion-row.ts'
import { nodes } from './rows/node-row.ts'
import { pipelines } from './rows/pipeline-row.ts'
import { secretKeys } from './rows/secret-key-row.ts'
import { readVersion } from './rows/row-codec.ts'

export { containers, majorityOf, untouched } from './rows/container-row.ts'
export type { ContainerRow, EncodedAs, LeftOut } from './rows/container-row.ts'
export { deletions, encodedDeletions } from './rows/deletion-row.ts'
export type { DeletionRow, EncodedDeletionKey } from './rows/deletion-row.ts'
export { defaultRack, nodes } from './rows/node-row.ts'
export type { NodeRow } from './rows/node-row.ts'
export { numberOfPipeline, pipelineIdOf, pipelines } from './rows/pipeline-row.ts'
export type { PipelineKind, PipelineRow } from './rows/pipeline-row.ts'
export { secretKeys } from './rows/secret-key-row.ts'
export type { SecretKeyRow } from './rows/secret-key-row.ts'
export { readRange, writeRange } from './rows/row-codec.ts'

export type CounterName = 'container' | 'deletion' | 'pipeline' | 'secret-key'

/** The last number given out of each kind. */
export const counters: Table<CounterName, number> = {
  name: 'counters',
  prefix: 's',
  encodeKey: (name) => name,
  decodeKey: (binary) => binary as CounterName,
  encode: (value) => new ByteWriter(16).u8(1).varint(value).finish(),
  decode: (bytes) => {
    const reader = new ByteReader(bytes)
    readVersion(reader, 'counter', 1)
    return reader.varint()
  },
}

export const scmTables = [nodes, containers, deletions, counters, pipelines, encodedDeletions, secretKeys] as const
