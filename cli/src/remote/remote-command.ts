/** A command that asks a server: its flags, its session, its output. */

import type { O3Session } from '@o3/plugin-native/client'
import type { Command } from 'commander'
import { exitCodes } from '../command-line.ts'
import type { Environment } from '../command-line.ts'
import { Output } from '../output/output.ts'
import { addConnectionFlags, connect } from './connection.ts'
import type { ConnectionFlags } from './connection.ts'

export interface Asked<Flags> {
  readonly session: O3Session
  /** As declared: `<a>` is there, `[b]` may be undefined, `<c...>` is a list. */
  readonly args: readonly (string | readonly string[] | undefined)[]
  readonly flags: Flags
  readonly out: Output
}

type CommonFlags = ConnectionFlags & { readonly json?: boolean; readonly quiet?: boolean }

/** Adds the flags that every such command has, and runs it between connecting and closing. */
export function remote<Flags>(
  command: Command,
  env: Environment,
  run: (asked: Asked<Flags & CommonFlags>) => Promise<void>,
): Command {
  command.option('--json', 'one JSON object per line').option('--quiet', 'say only what was asked for')
  return addConnectionFlags(command).action(async (...given: unknown[]) => {
    given.pop() // the command itself
    const flags = given.pop() as Flags & CommonFlags
    const { session, close } = await connect(flags, env)
    let interrupted = false
    // The call under way ends, and what it leaves is removed; a second one ends the process at once.
    const interrupt = (): void => {
      interrupted = true
      close()
    }
    process.once('SIGINT', interrupt)
    try {
      const out = new Output({ json: flags.json === true, quiet: flags.quiet === true, env })
      await run({ session, args: given as Asked<Flags>['args'], flags, out })
    } catch (error) {
      if (!interrupted) throw error
      process.stderr.write('o3: interrupted\n')
      process.exitCode = exitCodes.interrupted
    } finally {
      process.removeListener('SIGINT', interrupt)
      close()
    }
  })
}

/** The argument at `place`, which commander has seen to be there. */
export function argument(args: Asked<unknown>['args'], place: number): string {
  return String(args[place])
}
