/** What SCM asks of a datanode about erasure coding. */

import type { DatanodeCommand, EncodingReport } from '@o3/scm/api'
import type { Datanode } from '../api/api.ts'
import { replicaSource } from './block-source.ts'
import type { BlockSource } from './block-source.ts'
import { EcReader } from './ec-reader.ts'
import { encodeContainer } from './encode-container.ts'
import type { EncodeRequest, ShardWork } from './encode-container.ts'
import { reconstructShards } from './reconstruct-shards.ts'

type EncodeCommand = Extract<DatanodeCommand, { readonly kind: 'encode-container' }>
export type EcCommand = EncodeCommand | Extract<DatanodeCommand, { readonly kind: 'reconstruct-shards' }>

export interface EcCommandTools extends ShardWork {
  /** That of this process; `doors.datanode` finds it under its id as well. */
  readonly datanode: Datanode
  /** Called with what became of an encoding, before it resolves. */
  readonly encoded?: (encoding: EncodingReport) => void
}

/** An encoder can wait for a shard that is only slow: decoding it costs reads of all others. */
const hedgeAfterMs = 10_000

/**
 * Resolves when it is done, durably; rejects with what `encodeContainer` and `reconstructShards` do. Both may be repeated. The
 * source of an encoding is the replica that is here, whose deletions must wait meanwhile, or the shards of an older one, of which
 * some may be missing. They stay until all new shards are reported `CLOSED`.
 */
export async function carryOutEcCommand(command: EcCommand, tools: EcCommandTools): Promise<void> {
  const { datanode, encoded, ...work } = tools
  if (command.kind === 'encode-container') {
    const { kind, blocks } = await encodeContainer(requestOf(command), { ...work, source: sourceOf(command, tools) })
    encoded?.({ kind: kind === 'not-worth-it' ? 'declined' : kind, blocks })
    return
  }
  await reconstructShards(command, { ...work, here: { datanode: datanode.id, address: undefined } })
}

function requestOf({ container, policy, shards, leaveOut, worthShare }: EncodeCommand): EncodeRequest {
  return {
    container,
    policy,
    shards,
    ...(leaveOut && { leaveOut: leaveOut.map(({ firstLocal, count }) => ({ first: firstLocal, count })) }),
    ...(worthShare !== undefined && { worthShare }),
  }
}

function sourceOf({ container, from }: EncodeCommand, { datanode, doors, code, clock }: EcCommandTools): BlockSource {
  if (from === undefined) return replicaSource(datanode, container)
  return new EcReader({ ...doors, code, clock, hedgeAfterMs }).source({ container, ec: from })
}
