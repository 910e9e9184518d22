import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { containers, pipelines } from '../tables.ts'
import type { ContainerRow } from '../tables.ts'

const maxLocal = 0xffff_ffff

/** Local ids are spent when they are handed out: whether somebody wrote there is OM's to know. */
export function allocateBlocks(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'allocate-blocks' }>,
): Decision<ScmReply> | Refusal {
  const row = view.get(containers, command.container)
  if (row === undefined) return refuse('ContainerNotFound', `there is no container ${command.container}`)
  if (!takesBlocks(view, row) || row.nextLocal + command.count > maxLocal) {
    return refuse('ConcurrentChange', `container ${command.container} takes no more blocks`)
  }
  return {
    kind: 'decision',
    reply: {
      kind: 'blocks',
      range: { container: command.container, firstLocal: row.nextLocal, count: command.count },
    },
    changes: [
      { table: containers, key: command.container, value: { ...row, nextLocal: row.nextLocal + command.count } },
    ],
  }
}

/** Of a pipeline that takes no more blocks, the containers follow one by one: none of them is given out until then. */
function takesBlocks(view: PlanView, row: ContainerRow): boolean {
  if (row.state !== 'OPEN' || row.shardOf !== undefined) return false
  return row.pipeline === undefined || view.get(pipelines, row.pipeline)?.state === 'OPEN'
}
