/** `o3 om`. */

import { omConfigSchema } from '@o3/cluster/roles'
import { startOmRole } from '@o3/cluster/roles/om'
import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'
import { addRole } from '../process/role-command.ts'

export function addOm(program: Command, env: Environment): void {
  addRole(program, env, {
    role: 'om',
    description: 'the process of an OM: names',
    schema: omConfigSchema,
    start: startOmRole,
    place: 'in-group',
  })
}
