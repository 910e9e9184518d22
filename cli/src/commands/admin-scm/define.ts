/** A command that asks SCM: its flags, the way to SCM, its output. */

import { ScmControl } from '@o3/cluster/admin'
import { nodeEnv } from '@o3/common/env/node'
import { isStoreError } from '@o3/common/errors'
import type { Command } from 'commander'
import type { Environment } from '../../command-line.ts'
import { hinted } from '../../hints.ts'
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
