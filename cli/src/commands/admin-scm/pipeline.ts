/** `o3 admin pipeline …` */

import type { Command } from 'commander'
import type { Environment } from '../../command-line.ts'
import { timeText } from '../../output/quantities.ts'
import { askScm } from './define.ts'

export function addPipeline(admin: Command, env: Environment): void {
  const pipeline = admin.command('pipeline').description('the groups of datanodes that are written to together')
  askScm(pipeline.command('list').description('each one, its members and who leads'), env, async ({ control, out }) => {
    out.list(
      await control.scm.listPipelines(),
      [
        { title: 'ID', of: ({ id }) => id },
        { title: 'STATE', of: ({ state }) => state },
        { title: 'LEADER', of: ({ leader = '' }) => leader },
        { title: 'READY', align: 'right', of: ({ membersReady, members }) => `${membersReady}/${members.length}` },
        { title: 'OPEN', align: 'right', of: ({ openContainers }) => String(openContainers) },
        { title: 'CREATED', of: ({ createdMs }) => timeText(createdMs) },
        { title: 'MEMBERS', of: ({ members }) => members.join(' ') },
      ],
      'no pipelines',
    )
  })
  const close = pipeline.command('close').argument('<id>').description('close its containers, then let it go')
  askScm(close, env, async ({ control, argument, out }) => {
    await control.scm.closePipeline(argument)
    out.done({ id: argument, state: 'CLOSED' }, `pipeline ${argument} takes no more blocks`)
  })
}
