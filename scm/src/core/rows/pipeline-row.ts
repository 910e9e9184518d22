import type { Table } from '@o3/ratis/api'
import { ByteReader, ByteWriter } from '@o3/common/codec'
import type { DatanodeId, PipelineId, PipelineState } from '../../api/api.ts'
import { pick, readText, readVersion, writeText } from './row-codec.ts'

/** Of how many datanodes. */
export type PipelineKind = 'ONE' | 'THREE'

/**
 * A row is there from the decision to make the pipeline until no member that is alive has it any more. A pipeline that has no
 * row, with an id that was given out, is one that its members are to forget.
 */
export interface PipelineRow {
  readonly kind: PipelineKind
  /** The first is the one that had better lead. */
  readonly members: readonly DatanodeId[]
  /** `CLOSED`: takes no more blocks. Its members leave it when its containers are sealed. */
  readonly state: PipelineState
  readonly createdMs: number
}

// The orders are persisted: append, never reorder.
const kinds: readonly PipelineKind[] = ['ONE', 'THREE']
const states: readonly PipelineState[] = ['ALLOCATED', 'OPEN', 'CLOSED']

const version = 1

export const pipelines: Table<PipelineId, PipelineRow> = {
  name: 'pipelines',
  prefix: 'p',
  encodeKey: (id) => id,
  decodeKey: (binary) => binary,
  encode: (row) =>
    new ByteWriter()
      .u8(version)
      .u8(kinds.indexOf(row.kind))
      .u8(states.indexOf(row.state))
      .list(row.members, writeText)
      .varint(row.createdMs)
      .finish(),
  decode: (bytes) => {
    const reader = new ByteReader(bytes)
    readVersion(reader, 'pipeline', version)
    return {
      kind: pick(kinds, reader.u8()),
      state: pick(states, reader.u8()),
      members: reader.list(readText),
      createdMs: reader.varint(),
    }
  },
}

/** The number of a pipeline's id is never given twice, so a late message about a dead one cannot hit another. */
export function pipelineIdOf(number: number): PipelineId {
  return `pipeline-${number}`
}

/** Undefined for an id that is none of ours. */
export function numberOfPipeline(id: PipelineId): number | undefined {
  const digits = /^pipeline-([1-9][0-9]{0,14})$/.exec(id)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
