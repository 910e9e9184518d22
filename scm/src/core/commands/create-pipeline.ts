import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView, Stamp } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { counters, nodes, pipelineIdOf, pipelines } from '../tables.ts'

/** Numbers count up from 1 and are never given twice. */
export function createPipeline(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'create-pipeline' }>,
  stamp: Stamp,
): Decision<ScmReply> | Refusal {
  const { replicas, members } = command
  if (new Set(members).size !== (replicas === 'ONE' ? 1 : 3)) {
    return refuse('InvalidArgument', `a pipeline of ${replicas} was asked for with ${members.join(', ')}`)
  }
  for (const id of members) {
    if (view.get(nodes, id)?.operational !== 'IN_SERVICE') {
      return refuse('Unavailable', `datanode ${id} is not in service`)
    }
  }
  const number = (view.get(counters, 'pipeline') ?? 0) + 1
  const pipeline = pipelineIdOf(number)
  return {
    kind: 'decision',
    reply: { kind: 'pipeline', pipeline },
    changes: [
      { table: counters, key: 'pipeline', value: number },
      {
        table: pipelines,
        key: pipeline,
        value: { kind: replicas, members, state: 'ALLOCATED', createdMs: stamp.wallMs },
      },
    ],
  }
}
