/** `o3 start`: one machine, all services in one process. */

import { banner, nodeConfigSchema, startNode } from '@o3/cluster'
import type { Command } from 'commander'
import { addSettingFlags, readConfig } from '../command-line.ts'
import { crashAt } from '../process/crash-at.ts'
import { toTerminal, untilStopped } from '../process/until-stopped.ts'

export function addStart(program: Command, env: Readonly<Record<string, string | undefined>>): void {
  const command = program
    .command('start')
    .description('start O3 on this machine and serve S3')
    .action(async (options: Readonly<Record<string, unknown>>) => {
      const { values } = readConfig(nodeConfigSchema, options, env)
      const node = await startNode(values, { onSite: crashAt(env['O3_CRASH_AT']) })
      process.stdout.write(banner(node.facts))
      process.stdout.write('O3 is ready. Ctrl-C stops it.\n')
      process.exitCode = await untilStopped(node, { name: 'O3', say: toTerminal })
    })
  addSettingFlags(command, nodeConfigSchema)
}
