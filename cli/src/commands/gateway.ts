/** `o3 gateway`. */

import { gatewayConfigSchema, startGatewayRole } from '@o3/cluster/roles/gateway'
import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'
import { addRole } from '../process/role-command.ts'

export function addGateway(program: Command, env: Environment): void {
  addRole(program, env, {
    role: 'gateway',
    description: 'the process of a gateway: serves S3, keeps nothing',
    schema: gatewayConfigSchema,
    start: startGatewayRole,
    place: 'alone',
  })
}
