import type { Change, Decision, PlanView } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { blocksIn } from '../recorded-deletions.ts'
import { containers, encodedDeletions } from '../tables.ts'
import type { ContainerRow } from '../tables.ts'

/**
 * Whoever asks may know less than the rows: what is still in a shard keeps its record. The counts fall with the records, so that
 * nobody has to look for records where there are none.
 */
export function dropRecords(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'drop-records' }>,
): Decision<ScmReply> {
  const done = { kind: 'decision', reply: { kind: 'done' } } as const
  const { container } = command
  const row = view.get(containers, container)
  if (row?.ec === undefined) return { ...done, changes: [] }
  const upTo = row.ec.leaveOut?.upTo ?? 0
  const spent = [...new Set(command.transactions)].filter((each) => row.state === 'DELETING' || each <= upTo)
  const keys = spent.map((transaction) => ({ container, transaction }))
  let gone = { leftOut: 0, deleted: 0 }
  const changes: Change[] = []
  for (const [n, record] of view.getMany(encodedDeletions, keys).entries()) {
    if (record === undefined) continue
    changes.push({ table: encodedDeletions, key: keys[n], value: undefined })
    const blocks = blocksIn(record)
    const isLeftOut = (spent[n] ?? 0) <= upTo
    gone = isLeftOut ? { ...gone, leftOut: gone.leftOut + blocks } : { ...gone, deleted: gone.deleted + blocks }
  }
  if (changes.length === 0) return { ...done, changes }
  return { ...done, changes: [...changes, { table: containers, key: container, value: without(row, gone) }] }
}

function without(row: ContainerRow, gone: { readonly leftOut: number; readonly deleted: number }): ContainerRow {
  const { ec, deletedBlocks } = row
  if (ec === undefined) return row
  const left = (ec.leaveOut?.blocks ?? 0) - gone.leftOut
  const leaveOut = ec.leaveOut === undefined || left <= 0 ? undefined : { ...ec.leaveOut, blocks: left }
  return { ...row, deletedBlocks: deletedBlocks - gone.deleted, ec: { ...ec, leaveOut } }
}
