/** `o3 datanode`. */

import { datanodeConfigSchema } from '@o3/cluster/roles'
import { startDatanodeRole } from '@o3/cluster/roles/datanode'
import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'
import { addRole } from '../process/role-command.ts'

export function addDatanode(program: Command, env: Environment): void {
  addRole(program, env, {
    role: 'datanode',
    description: 'the process of a datanode: bytes',
    schema: datanodeConfigSchema,
    start: startDatanodeRole,
    place: 'alone',
  })
}
