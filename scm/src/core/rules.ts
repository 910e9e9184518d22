/** SCM as rules over a replicated store: one plan per command, chosen by a table. */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView, Stamp, StoreRules, Table } from '@o3/ratis/api'
import { acknowledgeDeletions } from './commands/acknowledge-deletions.ts'
import { addSecretKey } from './commands/add-secret-key.ts'
import { allocateBlocks } from './commands/allocate-blocks.ts'
import { beginEncoding } from './commands/begin-encoding.ts'
import { createContainer } from './commands/create-container.ts'
import { createPipeline } from './commands/create-pipeline.ts'
import { deleteBlocks } from './commands/delete-blocks.ts'
import { dropRecords } from './commands/drop-records.ts'
import { abandonEncoding, finishEncoding } from './commands/finish-encoding.ts'
import { registerNode } from './commands/register-node.ts'
import { setOperational } from './commands/set-operational.ts'
import { setReplicas } from './commands/set-replicas.ts'
import { settleDeletions } from './commands/settle-deletions.ts'
import { transitionContainer } from './commands/transition-container.ts'
import { transitionPipeline } from './commands/transition-pipeline.ts'
import type { ScmCommand, ScmReply } from './command.ts'
import { readRange, scmTables, writeRange } from './tables.ts'

type PlanOf<Kind extends ScmCommand['kind']> = (
  view: PlanView,
  command: Extract<ScmCommand, { kind: Kind }>,
  stamp: Stamp,
) => Decision<ScmReply> | Refusal

const plans: { readonly [Kind in ScmCommand['kind']]: PlanOf<Kind> } = {
  'register-node': registerNode,
  'create-container': createContainer,
  'allocate-blocks': allocateBlocks,
  'transition-container': transitionContainer,
  'delete-blocks': deleteBlocks,
  'acknowledge-deletions': acknowledgeDeletions,
  'set-operational': setOperational,
  'create-pipeline': createPipeline,
  'transition-pipeline': transitionPipeline,
  'set-replicas': setReplicas,
  'begin-encoding': beginEncoding,
  'finish-encoding': finishEncoding,
  'abandon-encoding': abandonEncoding,
  'settle-deletions': settleDeletions,
  'drop-records': dropRecords,
  'add-secret-key': addSecretKey,
}

export function planScm(view: PlanView, command: ScmCommand, stamp: Stamp): Decision<ScmReply> | Refusal {
  const plan = plans[command.kind] as PlanOf<ScmCommand['kind']>
  return plan(view, command, stamp)
}

/** What leads to free space, or is needed for reads or for a datanode to be heard, goes on when the disk is full. */
const freeing: ReadonlySet<ScmCommand['kind']> = new Set([
  'register-node',
  'transition-container',
  'delete-blocks',
  'acknowledge-deletions',
  'settle-deletions',
  'drop-records',
  'set-replicas',
  'set-operational',
  'transition-pipeline',
  'finish-encoding',
  'abandon-encoding',
  'add-secret-key',
])

// The order is persisted: append, never reorder.
const replyKinds: readonly ScmReply['kind'][] = ['done', 'container', 'blocks', 'pipeline', 'shards']

function encodeReply(reply: ScmReply): Uint8Array {
  const writer = new ByteWriter(32).u8(1).u8(replyKinds.indexOf(reply.kind))
  if (reply.kind === 'container') writer.varint(reply.container)
  if (reply.kind === 'blocks') writeRange(writer, reply.range)
  if (reply.kind === 'pipeline') writer.utf8(reply.pipeline)
  if (reply.kind === 'shards') writer.list(reply.shards, (each, shard) => each.varint(shard))
  return writer.finish()
}

function decodeReply(bytes: Uint8Array): ScmReply {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  const kind = replyKinds[reader.u8()]
  if (version !== 1 || kind === undefined) throw new StoreError('Incompatible', 'a reply of SCM has an unknown form')
  switch (kind) {
    case 'done':
      return { kind }
    case 'container':
      return { kind, container: reader.varint() }
    case 'blocks':
      return { kind, range: readRange(reader) }
    case 'pipeline':
      return { kind, pipeline: reader.utf8() }
    case 'shards':
      return { kind, shards: reader.list((each) => each.varint()) }
  }
}

export const scmRules: StoreRules<ScmCommand, ScmReply> = {
  name: 'scm',
  tables: scmTables as unknown as readonly Table<never, never>[],
  plan: planScm,
  freesSpace: (command) => freeing.has(command.kind),
  encodeReply,
  decodeReply,
}
