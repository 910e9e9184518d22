import type { Change, Decision, PlanView } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { blocksIn } from '../recorded-deletions.ts'
import { containers, encodedDeletions } from '../tables.ts'

/**
 * Whoever asks may know less than the rows: what is still in a shard keeps its record. The counts fall with the records, so that
 * nobody has to look for records where there are none.
 */
export function dropRecords(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'drop-records' }>,
): Decision<ScmReply> {
  const { container } = command
  const row = view.get(containers, container)
  const upTo = row?.ec?.leaveOut?.upTo ?? 0
  const isGoing = row === undefined || row.state === 'DELETING'
  const spent = [...new Set(command.transactions)].filter((transaction) => isGoing || transaction <= upTo)
  const keys = spent.map((transaction) => ({ container, transaction }))
  let [left, deletedBlocks] = [row?.ec?.leaveOut?.blocks ?? 0, row?.deletedBlocks ?? 0]
  const changes: Change[] = []
  for (const [n, record] of view.getMany(encodedDeletions, keys).entries()) {
    const key = keys[n]
    if (record === undefined || key === undefined) continue
    changes.push({ table: encodedDeletions, key, value: undefined })
    if (key.transaction <= upTo) left -= blocksIn(record)
    else deletedBlocks -= blocksIn(record)
  }
  if (row?.ec !== undefined && changes.length > 0) {
    const leaveOut = left > 0 ? { upTo, blocks: left } : undefined
    changes.push({ table: containers, key: container, value: { ...row, deletedBlocks, ec: { ...row.ec, leaveOut } } })
  }
  return { kind: 'decision', reply: { kind: 'done' }, changes }
}
