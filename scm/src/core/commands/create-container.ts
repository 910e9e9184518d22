import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView, Stamp } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { containers, counters, nodes, pipelines, untouched } from '../tables.ts'

type CreateContainer = Extract<ScmCommand, { kind: 'create-container' }>

/** Container ids count up from 1 and are never given twice: a late message about a dead container cannot hit a new one. */
export function createContainer(view: PlanView, command: CreateContainer, stamp: Stamp): Decision<ScmReply> | Refusal {
  const refusal = command.pipeline === undefined ? unlessInService(view, command) : unlessOpen(view, command)
  if (refusal !== undefined) return refusal
  const { replication, pipeline, datanodes } = command
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
          ...untouched,
          state: 'OPEN',
          replication,
          pipeline,
          datanodes,
          origins: datanodes,
          createdMs: stamp.wallMs,
          nextLocal: 1,
        },
      },
    ],
  }
}

function unlessInService(view: PlanView, { replication, datanodes }: CreateContainer): Refusal | undefined {
  if (replication !== 'RATIS/ONE' || datanodes.length !== 1) {
    return refuse('InvalidArgument', `a container of ${replication} needs a pipeline`)
  }
  for (const id of datanodes) {
    if (view.get(nodes, id)?.operational !== 'IN_SERVICE') {
      return refuse('Unavailable', `datanode ${id} is not in service`)
    }
  }
  return undefined
}

/** A pipeline that is being closed has its containers closed, and must not get another behind its back. */
function unlessOpen(view: PlanView, { pipeline, datanodes }: CreateContainer): Refusal | undefined {
  const row = view.get(pipelines, pipeline as string)
  if (row?.state !== 'OPEN') return refuse('ConcurrentChange', `pipeline ${pipeline} takes no more containers`)
  if (row.members.join() !== datanodes.join()) {
    return refuse('InvalidArgument', `pipeline ${pipeline} does not consist of ${datanodes.join(', ')}`)
  }
  return undefined
}
