import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { containers } from '../tables.ts'

const maxLocal = 0xffff_ffff

/** Local ids are spent when they are handed out: whether somebody wrote there is OM's to know. */
export function allocateBlocks(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'allocate-blocks' }>,
): Decision<ScmReply> | Refusal {
  const row = view.get(containers, command.container)
  if (row === undefined) return refuse('ContainerNotFound', `there is no container ${command.container}`)
  if (row.state !== 'OPEN' || row.nextLocal + command.count > maxLocal) {
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
