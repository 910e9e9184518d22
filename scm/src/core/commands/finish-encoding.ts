import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { containers, encodedDeletions } from '../tables.ts'
import { dropContainers } from './transition-container.ts'

/** Readers go to the new shards; what was read before, replicas or older shards, may go. */
export function finishEncoding(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'finish-encoding' }>,
): Decision<ScmReply> | Refusal {
  const { container, leftOut } = command
  const row = view.get(containers, container)
  if (row === undefined) return refuse('ContainerNotFound', `there is no container ${container}`)
  if (row.encoding === undefined) return refuse('ConcurrentChange', `container ${container} is not being encoded`)
  for (const shard of view.getMany(containers, row.encoding.shards)) {
    if (shard?.state !== 'CLOSED') return refuse('ConcurrentChange', `a shard of container ${container} is not closed`)
  }
  const keys = leftOut.map((transaction) => ({ container, transaction }))
  const settled = view.getMany(encodedDeletions, keys)
  const gone = settled.reduce((sum, blocks = []) => sum + blocks.reduce((all, { count }) => all + count, 0), 0)
  const deletedBlocks = Math.max(0, row.deletedBlocks - gone)
  return {
    kind: 'decision',
    reply: { kind: 'done' },
    changes: [
      { table: containers, key: container, value: { ...row, ec: row.encoding, encoding: undefined, deletedBlocks } },
      ...dropContainers(view, row.ec?.shards ?? []),
      ...keys.map((key) => ({ table: encodedDeletions, key, value: undefined })),
    ],
  }
}

/** Also for a container that is not being encoded: whoever gave up may ask twice. */
export function abandonEncoding(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'abandon-encoding' }>,
): Decision<ScmReply> {
  const done = { kind: 'decision', reply: { kind: 'done' } } as const
  const row = view.get(containers, command.container)
  if (row?.encoding === undefined) return { ...done, changes: [] }
  const value = { ...row, encoding: undefined }
  const shards = dropContainers(view, row.encoding.shards)
  return { ...done, changes: [{ table: containers, key: command.container, value }, ...shards] }
}
