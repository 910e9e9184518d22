/** The tree of commands. */

import { Command } from 'commander'
import type { Environment } from './command-line.ts'

/** `whole` makes the tree with every command. */
type AddCommand = (program: Command, env: Environment, whole: () => Promise<Command>) => void

/** In the order of the help. Each is loaded when it is wanted: a whole node takes longer to load than `o3 sh` to run. */
const commands: Readonly<Record<string, () => Promise<AddCommand>>> = {
  start: async () => (await import('./commands/start.ts')).addStart,
  cluster: async () => (await import('./commands/cluster.ts')).addCluster,
  om: async () => (await import('./commands/om.ts')).addOm,
  scm: async () => (await import('./commands/scm.ts')).addScm,
  datanode: async () => (await import('./commands/datanode.ts')).addDatanode,
  gateway: async () => (await import('./commands/gateway.ts')).addGateway,
  sh: async () => (await import('./commands/sh.ts')).addShell,
  user: async () => (await import('./commands/user.ts')).addUser,
  'key-pair': async () => (await import('./commands/key-pair.ts')).addKeyPair,
  admin: async () => (await import('./commands/admin.ts')).addAdmin,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctor,
  config: async () => (await import('./commands/config.ts')).addConfig,
  bench: async () => (await import('./commands/bench.ts')).addBench,
  completion: async () => (await import('./commands/completion.ts')).addCompletion,
}

/** With the one command that was typed; with all of them for whatever else, such as a help or a word that is none. */
export async function makeProgram(env: Environment, typed?: string): Promise<Command> {
  const program = new Command('o3')
    .description('O3: a durable, S3-compatible object store')
    // Nobody but `main` ends the process.
    .exitOverride()
    .showHelpAfterError('(o3 help <command> shows what it takes)')
    .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 80, 100) })
  const wanted = typed !== undefined && Object.hasOwn(commands, typed) ? [typed] : Object.keys(commands)
  for (const name of wanted) {
    const add = await commands[name]?.()
    add?.(program, env, () => makeProgram(env))
  }
  return program
}
