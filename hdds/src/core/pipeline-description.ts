/** What a datanode remembers of a pipeline beside its log. */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { ContainerId, PipelineId, PipelineMember } from '@o3/scm/api'

export interface PipelineDescription {
  readonly pipeline: PipelineId
  readonly members: readonly PipelineMember[]
  /** `withdrawn`: it sealed a container alone, and takes no more part in the group. */
  readonly state: 'member' | 'withdrawn'
  /** Those that are, or may be, open here. */
  readonly containers: readonly ContainerId[]
}

const version = 1
// The order is persisted: append, never reorder.
const states = ['member', 'withdrawn'] as const satisfies readonly PipelineDescription['state'][]

export function encodeDescription({ pipeline, members, state, containers }: PipelineDescription): Uint8Array {
  return new ByteWriter(128)
    .u8(version)
    .utf8(pipeline)
    .u8(states.indexOf(state))
    .list(members, (each, { datanode, address }) => each.utf8(datanode).utf8(address))
    .list(containers, (each, container) => each.varint(container))
    .finish()
}

/** Throws `Incompatible` for a later release's, `Damaged`. */
export function decodeDescription(bytes: Uint8Array): PipelineDescription {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version) {
    throw new StoreError('Incompatible', `the description of a pipeline has the unknown version ${found}`)
  }
  const pipeline = reader.utf8()
  const state = states[reader.u8()]
  if (state === undefined) throw new StoreError('Incompatible', 'a pipeline is in an unknown state')
  return {
    pipeline,
    state,
    members: reader.list((each) => ({ datanode: each.utf8(), address: each.utf8() })),
    containers: reader.list((each) => each.varint()),
  }
}
