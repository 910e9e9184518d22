import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView } from '@o3/ratis/api'
import type { PipelineState } from '../../api/api.ts'
import type { ScmCommand, ScmReply } from '../command.ts'
import { pipelines } from '../tables.ts'

/** Where a pipeline may go from each state. `GONE`: its row is dropped. It never takes blocks again. */
export const pipelineSteps: Readonly<Record<PipelineState, readonly ('OPEN' | 'CLOSED' | 'GONE')[]>> = {
  ALLOCATED: ['OPEN', 'CLOSED'],
  OPEN: ['CLOSED'],
  CLOSED: ['GONE'],
}

/** Asking for the state that it has is agreed to. */
export function transitionPipeline(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'transition-pipeline' }>,
): Decision<ScmReply> | Refusal {
  const { pipeline, to } = command
  const done = { kind: 'decision', reply: { kind: 'done' } } as const
  const row = view.get(pipelines, pipeline)
  if (row === undefined) {
    if (to === 'GONE') return { ...done, changes: [] }
    return refuse('InvalidArgument', `there is no pipeline ${pipeline}`)
  }
  if (row.state === to) return { ...done, changes: [] }
  if (!pipelineSteps[row.state].includes(to)) {
    return refuse('ConcurrentChange', `pipeline ${pipeline} is ${row.state} and cannot become ${to}`)
  }
  const value = to === 'GONE' ? undefined : { ...row, state: to }
  return { ...done, changes: [{ table: pipelines, key: pipeline, value }] }
}
