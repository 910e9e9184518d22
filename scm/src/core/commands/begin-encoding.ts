import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Change, Decision, PlanView, Stamp } from '@o3/ratis/api'
import type { ContainerId } from '../../api/api.ts'
import type { ScmCommand, ScmReply } from '../command.ts'
import { containers, counters, untouched } from '../tables.ts'
import type { ContainerRow } from '../tables.ts'

/** Rows before bytes: what is made at a target is known to be a shard from its first report on. */
export function beginEncoding(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'begin-encoding' }>,
  stamp: Stamp,
): Decision<ScmReply> | Refusal {
  const { container, policy, targets, leaveOut } = command
  const row = view.get(containers, container)
  if (row === undefined) return refuse('ContainerNotFound', `there is no container ${container}`)
  if (!mayBegin(row) || (row.ec !== undefined) !== (leaveOut !== undefined)) {
    return refuse('ConcurrentChange', `container ${container} cannot be encoded now`)
  }
  const last = view.get(counters, 'container') ?? 0
  const shards: readonly ContainerId[] = targets.map((_, index) => last + 1 + index)
  const rows = targets.map((target, index): Change => {
    const value = {
      ...untouched,
      state: 'OPEN',
      replication: 'RATIS/ONE',
      datanodes: [target],
      origins: [target],
      createdMs: stamp.wallMs,
      nextLocal: 1,
      shardOf: { container, index },
    } as const
    return { table: containers, key: shards[index], value }
  })
  return {
    kind: 'decision',
    reply: { kind: 'shards', shards },
    changes: [
      { table: counters, key: 'container', value: last + targets.length },
      { table: containers, key: container, value: { ...row, encoding: { policy, shards, leaveOut } } },
      ...rows,
    ],
  }
}

/** Records that the last encoding left out go first: they would be counted as left out twice. */
function mayBegin(row: ContainerRow): boolean {
  if (row.state !== 'CLOSED' || row.shardOf !== undefined) return false
  return row.encoding === undefined && row.incoming.length === 0 && row.ec?.leaveOut === undefined
}
