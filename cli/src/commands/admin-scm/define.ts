/** A command that asks SCM: its flags, the way to SCM, its output. */

import { resolve } from 'node:path'
import { ScmControl, clusterFileIn } from '@o3/cluster/admin'
import { nodeEnv } from '@o3/common/env/node'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { Command } from 'commander'
import type { Environment } from '../../command-line.ts'
import { Output } from '../../output/output.ts'

export interface ScmFlags {
  readonly data?: string
  readonly cluster?: string
  readonly json?: boolean
  readonly quiet?: boolean
}

export interface ScmAsked<F> {
  readonly control: ScmControl
  /** The first argument; empty for a command without. */
  readonly argument: string
  readonly flags: ScmFlags & F
  readonly out: Output
}

export function askScm<F = unknown>(
  line: Command,
  env: Environment,
  run: (asked: ScmAsked<F>) => Promise<void>,
): Command {
  return line
    .option('--data <dir>', 'the directory of the cluster (O3_DATA, else ./o3-data)')
    .option('--cluster <file>', 'its cluster file, where that is elsewhere')
    .option('--json', 'one JSON object per line')
    .option('--quiet', 'say only what was asked for')
    .action(async (...given: unknown[]) => {
      given.pop() // the command itself
      const flags = given.pop() as ScmFlags & F
      const [argument = ''] = given as readonly string[]
      const file = resolve(flags.cluster ?? clusterFileIn(flags.data ?? env['O3_DATA'] ?? './o3-data'))
      const out = new Output({ json: flags.json === true, quiet: flags.quiet === true, env })
      const control = await ScmControl.open(nodeEnv(), file)
      try {
        await run({ control, argument, flags, out })
      } catch (error) {
        if (isStoreError(error, 'Unavailable', 'DeadlineExceeded')) throw hinted(error, whereToLook)
        throw error
      } finally {
        control.close()
      }
    })
}

const whereToLook = '`o3 cluster status` shows which processes are up, `o3 admin scm roles` who leads'

/** The same error, and what to do about it, unless it says so itself. */
export function hinted(error: StoreError, hint: string): StoreError {
  const { code, message, details } = error
  return new StoreError(code, message, { details: { try: hint, ...details }, cause: error })
}

/** Looks at it again and again, and says how it is, until it is so. */
export async function until<T>(
  look: () => Promise<T>,
  isSo: (seen: T) => boolean,
  tell: (seen: T) => string | undefined,
  out: Output,
): Promise<T> {
  const { clock } = nodeEnv()
  let told = ''
  for (let saidMs = -Infinity; ;) {
    const seen = await look()
    if (isSo(seen)) return seen
    const text = tell(seen) ?? ''
    if (text !== '' && text !== told && clock.monotonicMs() - saidMs > remarkEveryMs) {
      out.remark(text)
      told = text
      saidMs = clock.monotonicMs()
    }
    await clock.sleep(pollMs)
  }
}

const pollMs = 500
const remarkEveryMs = 2_000
