import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView, Stamp } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { containers, counters, nodes } from '../tables.ts'

/** Container ids count up from 1 and are never given twice: a late message about a dead container cannot hit a new one. */
export function createContainer(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'create-container' }>,
  stamp: Stamp,
): Decision<ScmReply> | Refusal {
  for (const id of command.datanodes) {
    const node = view.get(nodes, id)
    if (node?.operational !== 'IN_SERVICE') return refuse('Unavailable', `datanode ${id} is not in service`)
  }
  const id = (view.get(counters, 'container') ?? 0) + 1
  return {
    kind: 'decision',
    reply: { kind: 'container', container: id },
    changes: [
      { table: counters, key: 'container', value: id },
      {
        table: containers,
        key: id,
        value: {
          state: 'OPEN',
          replication: command.replication,
          pipeline: command.pipeline,
          datanodes: command.datanodes,
          createdMs: stamp.wallMs,
          nextLocal: 1,
        },
      },
    ],
  }
}
