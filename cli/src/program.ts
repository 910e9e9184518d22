/** The tree of commands. */

import { Command } from 'commander'
import type { Environment } from './command-line.ts'
import { addAdmin } from './commands/admin.ts'
import { addBench } from './commands/bench.ts'
import { addCompletion } from './commands/completion.ts'
import { addConfig } from './commands/config.ts'
import { addKeyPair } from './commands/key-pair.ts'
import { addShell } from './commands/sh.ts'
import { addStart } from './commands/start.ts'
import { addUser } from './commands/user.ts'

export function makeProgram(env: Environment): Command {
  const program = new Command('o3')
    .description('O3: a durable, S3-compatible object store')
    // Nobody but `main` ends the process.
    .exitOverride()
    .showHelpAfterError('(o3 help <command> shows what it takes)')
    .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 80, 100) })
  addStart(program, env)
  addShell(program, env)
  addUser(program, env)
  addKeyPair(program, env)
  addAdmin(program, env)
  addConfig(program, env)
  addBench(program, env)
  addCompletion(program)
  return program
}
