/** How the other services reach SCM. In one process that is the service itself. */

export type { Scm, ScmAdminProtocol, ScmBlockProtocol, ScmDatanodeProtocol, ScmLocationProtocol } from '../api/api.ts'
