/** A command that asks SCM: its flags, the way to SCM, its output. */

import { ScmControl } from '@o3/cluster/admin'
import { nodeEnv } from '@o3/common/env/node'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { Command } from 'commander'
import type { Environment } from '../../command-line.ts'
import type { Output } from '../../output/output.ts'
import { clusterCommand } from '../../remote/cluster-command.ts'
import type { ClusterAsked } from '../../remote/cluster-command.ts'

export interface ScmAsked<F> extends ClusterAsked<F> {
  readonly control: ScmControl
}

export function askScm<F = unknown>(
  line: Command,
  env: Environment,
  run: (asked: ScmAsked<F>) => Promise<void>,
): Command {
  return clusterCommand<F>(line, env, async (asked) => {
    const control = await ScmControl.open(nodeEnv(), asked.file)
    try {
      await run({ ...asked, control })
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
