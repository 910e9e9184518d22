/** The `o3` command. The launcher (`bin/o3.mjs`) has seen to it that the runtime is fit. */

import { StoreError } from '@o3/common/errors'
import { Command } from 'commander'
import { addBench } from './commands/bench.ts'
import { addConfig } from './commands/config.ts'
import { addStart } from './commands/start.ts'
import { exitCodeOf } from './command-line.ts'

function makeProgram(env: NodeJS.ProcessEnv): Command {
  const program = new Command('o3')
    .description('O3: a durable, S3-compatible object store')
    .showHelpAfterError('(o3 help <command> shows what it takes)')
    .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 80, 100) })
  addStart(program, env)
  addConfig(program, env)
  addBench(program, env)
  return program
}

try {
  await makeProgram(process.env).parseAsync(process.argv)
} catch (error) {
  // A StoreError is written for the person who reads it; anything else is a bug, and its stack helps to find it.
  const text = error instanceof StoreError ? error.message : error instanceof Error ? error.stack : String(error)
  process.stderr.write(`o3: ${text}\n`)
  process.exitCode = exitCodeOf(error)
}
