/** What the commands of all roles share; each role's start is in a file of its own and is loaded alone. */

export { parsePeers } from '../cluster-file/cluster-file.ts'
export type { Member, Role } from '../cluster-file/cluster-file.ts'
export type { RunningProcess } from '../process/running-process.ts'
export { datanodeConfigSchema, omConfigSchema, scmConfigSchema } from './role-config.ts'
export type { RoleFacts, RoleOptions } from './role-process.ts'
