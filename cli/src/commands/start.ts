/** `o3 start`: one machine, all services in one process. */

import { banner, nodeConfigSchema, startNode } from '@o3/cluster'
import type { RunningNode } from '@o3/cluster'
import type { Command } from 'commander'
import { addSettingFlags, readConfig } from '../command-line.ts'

export function addStart(program: Command, env: Readonly<Record<string, string | undefined>>): void {
  const command = program
    .command('start')
    .description('start O3 on this machine and serve S3')
    .action(async (options: Readonly<Record<string, unknown>>) => {
      const { values } = readConfig(nodeConfigSchema, options, env)
      const node = await startNode(values, { onSite: crashAt(env['O3_CRASH_AT']) })
      process.stdout.write(banner(node.facts))
      process.stdout.write('O3 is ready. Ctrl-C stops it.\n')
      process.exitCode = await untilStopped(node)
    })
  addSettingFlags(command, nodeConfigSchema)
}

/** The first signal drains and stops; a second one ends the process at once, which is safe: nothing unsynced was acknowledged. */
async function untilStopped(node: RunningNode): Promise<number> {
  const reason = await new Promise<string>((resolve) => {
    const again = (signal: NodeJS.Signals): void => {
      process.stdout.write(`\n${signal} again: stopping at once.\n`)
      // oxlint-disable-next-line unicorn/no-process-exit -- somebody who asks twice wants no more promises
      process.exit(1)
    }
    const first = (signal: NodeJS.Signals): void => {
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.removeAllListeners(name).on(name, again)
      resolve(signal)
    }
    process.once('SIGINT', first).once('SIGTERM', first)
    void node.failed.then((error) => resolve(`failure: ${error.message}`))
  })
  process.stdout.write(`\n${reason}: finishing what is under way.\n`)
  const failures = await node.stop()
  for (const { name, error } of failures) process.stderr.write(`o3: ${name} did not stop cleanly: ${String(error)}\n`)
  const clean = failures.length === 0 && !reason.startsWith('failure')
  process.stdout.write(
    clean ? 'O3 has stopped.\n' : 'O3 has stopped, not cleanly; the next start checks and repairs.\n',
  )
  return clean ? 0 : 1
}

/** For crash tests: `site:n` kills this process, as a power switch would, when it passes `site` for the n-th time. */
function crashAt(order: string | undefined): ((site: string) => void) | undefined {
  if (order === undefined) return undefined
  const [site, count] = order.split(':')
  let left = Number(count ?? 1)
  return (passed) => {
    if (passed === site && --left === 0) process.kill(process.pid, 'SIGKILL')
  }
}
