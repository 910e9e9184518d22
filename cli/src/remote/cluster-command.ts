/** A command that asks processes of a cluster by its cluster file: its flags, the file, its output. */

import { resolve } from 'node:path'
import { clusterFileIn } from '@o3/cluster/admin'
import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'
import { Output } from '../output/output.ts'

export interface ClusterFlags {
  readonly data?: string
  readonly cluster?: string
  readonly json?: boolean
  readonly quiet?: boolean
}

export interface ClusterAsked<F> {
  readonly file: string
  /** The first argument; empty for a command without. */
  readonly argument: string
  readonly flags: ClusterFlags & F
  readonly out: Output
}

export function clusterCommand<F>(
  line: Command,
  env: Environment,
  run: (asked: ClusterAsked<F>) => Promise<void>,
): Command {
  return line
    .option('--data <dir>', 'the directory of the cluster (O3_DATA, else ./o3-data)')
    .option('--cluster <file>', 'its cluster file, where that is elsewhere')
    .option('--json', 'one JSON object per line')
    .option('--quiet', 'say only what was asked for')
    .action(async (...given: unknown[]) => {
      given.pop() // the command itself
      const flags = given.pop() as ClusterFlags & F
      const [argument = ''] = given as readonly string[]
      const file = resolve(flags.cluster ?? clusterFileIn(flags.data ?? env['O3_DATA'] ?? './o3-data'))
      const out = new Output({ json: flags.json === true, quiet: flags.quiet === true, env })
      await run({ file, argument, flags, out })
    })
}
