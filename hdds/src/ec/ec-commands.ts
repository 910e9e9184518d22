/** What SCM asks of a datanode about erasure coding. */

import type { DatanodeCommand } from '@o3/scm/api'
import type { Datanode } from '../api/api.ts'
import { replicaSource } from './block-source.ts'
import { encodeContainer } from './encode-container.ts'
import type { ShardWork } from './encode-container.ts'
import { reconstructShards } from './reconstruct-shards.ts'

export type EcCommand = Extract<DatanodeCommand, { readonly kind: 'encode-container' | 'reconstruct-shards' }>

export interface EcCommandTools extends ShardWork {
  /** That of this process; `doors.datanode` finds it under its id as well. */
  readonly datanode: Datanode
}

/**
 * Resolves when it is done, durably; rejects with what `encodeContainer` and `reconstructShards` do. Both may be repeated. The
 * source of an encoding is the replica that is here; its deletions must wait meanwhile, and the replicas stay until all shards
 * are reported `CLOSED`.
 */
export async function carryOutEcCommand(command: EcCommand, { datanode, ...work }: EcCommandTools): Promise<void> {
  if (command.kind === 'encode-container') {
    await encodeContainer(command, { ...work, source: replicaSource(datanode, command.container) })
    return
  }
  await reconstructShards(command, { ...work, here: { datanode: datanode.id, address: undefined } })
}
