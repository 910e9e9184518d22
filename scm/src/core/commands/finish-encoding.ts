import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { containers } from '../tables.ts'
import { dropContainers } from './transition-container.ts'

/**
 * Readers go to the new shards; what was read before, replicas or older shards, may go. Of the recorded deletions exactly those
 * are done with that `begin-encoding` named: the shards were made without them, and whatever was recorded since is in the shards.
 */
export function finishEncoding(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'finish-encoding' }>,
): Decision<ScmReply> | Refusal {
  const { container, blocks } = command
  const row = view.get(containers, container)
  if (row === undefined) return refuse('ContainerNotFound', `there is no container ${container}`)
  if (row.encoding === undefined) return refuse('ConcurrentChange', `container ${container} is not being encoded`)
  for (const shard of view.getMany(containers, row.encoding.shards)) {
    if (shard?.state !== 'CLOSED') return refuse('ConcurrentChange', `a shard of container ${container} is not closed`)
  }
  const { leaveOut } = row.encoding
  const deletedBlocks = row.deletedBlocks - (leaveOut?.blocks ?? 0)
  const ec = { ...row.encoding, blocks, leaveOut: leaveOut?.blocks === 0 ? undefined : leaveOut }
  const value = { ...row, ec, encoding: undefined, deletedBlocks }
  return {
    kind: 'decision',
    reply: { kind: 'done' },
    changes: [{ table: containers, key: container, value }, ...dropContainers(view, row.ec?.shards ?? [])],
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
