import type { Change, Decision, PlanView } from '@o3/ratis/api'
import type { BlockRange, ContainerId } from '../../api/api.ts'
import type { ScmCommand, ScmReply } from '../command.ts'
import { containers, counters, deletions } from '../tables.ts'
import { recordEncoded } from './settle-deletions.ts'

/**
 * One transaction per container, so that each is acknowledged by exactly the nodes that hold it. A container that is
 * gone has taken its blocks along. Repeating a deletion makes a second transaction, which finds nothing: harmless.
 */
export function deleteBlocks(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'delete-blocks' }>,
): Decision<ScmReply> {
  const byContainer = new Map<ContainerId, BlockRange[]>()
  for (const range of command.blocks) {
    const ranges = byContainer.get(range.container)
    if (ranges === undefined) byContainer.set(range.container, [range])
    else ranges.push(range)
  }
  let last = view.get(counters, 'deletion') ?? 0
  const changes: Change[] = []
  for (const [container, blocks] of byContainer) {
    const row = view.get(containers, container)
    if (row === undefined) continue
    last += 1
    if (row.ec === undefined) changes.push({ table: deletions, key: last, value: { blocks, done: [], copies: 0 } })
    else changes.push(...recordEncoded(container, row, [{ transaction: last, blocks }]))
  }
  if (changes.length > 0) changes.push({ table: counters, key: 'deletion', value: last })
  return { kind: 'decision', reply: { kind: 'done' }, changes }
}
