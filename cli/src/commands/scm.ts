/** `o3 scm`. */

import { scmConfigSchema } from '@o3/cluster/roles'
import { startScmRole } from '@o3/cluster/roles/scm'
import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'
import { addRole } from '../process/role-command.ts'

export function addScm(program: Command, env: Environment): void {
  addRole(program, env, {
    role: 'scm',
    description: 'the process of an SCM: datanodes and containers',
    schema: scmConfigSchema,
    start: startScmRole,
    place: 'in-group',
  })
}
