/** What a datanode remembers of a pipeline beside its log. */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { ContainerId, PipelineId, PipelineMember } from '@o3/scm/api'
import { readIdRanges, writeIdRanges } from './id-ranges.ts'
import type { IdRange } from './id-ranges.ts'

export interface PipelineDescription {
  readonly pipeline: PipelineId
  readonly members: readonly PipelineMember[]
  /** `withdrawn`: it sealed a container alone, and takes no more part in the group. */
  readonly state: 'member' | 'withdrawn'
  /** Those that are, or may be, open here. */
  readonly containers: readonly ContainerId[]
  /**
   * Its log was lost once, or part of it: what it had acknowledged by then has come back from the others, or is still to come. It
   * vouches for nothing that it could not fetch.
   */
  readonly isRejoined: boolean
  /** Containers that were lost with their disk, and may have been begun anew since: what they had is not in the log any more. */
  readonly partial: readonly ContainerId[]
  /** Containers that were here and sealed; of ancient times perhaps more. One of them that is begun anew is partial. */
  readonly sealed: readonly IdRange[]
}

/** Of a member that has lost nothing, and sealed nothing. */
const plainVersion = 1
/** Of one that has sealed nothing. */
const partialVersion = 2
const version = 3
// The order is persisted: append, never reorder.
const states = ['member', 'withdrawn'] as const satisfies readonly PipelineDescription['state'][]

export function encodeDescription(description: PipelineDescription): Uint8Array {
  const { pipeline, members, state, containers, isRejoined, partial, sealed } = description
  const written = versionOf(description)
  const writer = new ByteWriter(128)
    .u8(written)
    .utf8(pipeline)
    .u8(states.indexOf(state))
    .list(members, (each, { datanode, address }) => each.utf8(datanode).utf8(address))
    .list(containers, writeId)
  if (written >= partialVersion) writer.bool(isRejoined).list(partial, writeId)
  if (written >= version) writeIdRanges(writer, sealed)
  return writer.finish()
}

/** The oldest that can say it. */
function versionOf({ isRejoined, partial, sealed }: PipelineDescription): number {
  if (sealed.length > 0) return version
  return isRejoined || partial.length > 0 ? partialVersion : plainVersion
}

/** Throws `Incompatible` for a later release's, `Damaged`. */
export function decodeDescription(bytes: Uint8Array): PipelineDescription {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found < plainVersion || found > version) {
    throw new StoreError('Incompatible', `the description of a pipeline has the unknown version ${found}`)
  }
  const pipeline = reader.utf8()
  const state = states[reader.u8()]
  if (state === undefined) throw new StoreError('Incompatible', 'a pipeline is in an unknown state')
  return {
    pipeline,
    state,
    members: reader.list((each) => ({ datanode: each.utf8(), address: each.utf8() })),
    containers: reader.list(readId),
    isRejoined: found >= partialVersion && reader.bool(),
    partial: found >= partialVersion ? reader.list(readId) : [],
    sealed: found >= version ? readIdRanges(reader) : [],
  }
}

function writeId(writer: ByteWriter, id: ContainerId): void {
  writer.varint(id)
}

function readId(reader: ByteReader): ContainerId {
  return reader.varint()
}
