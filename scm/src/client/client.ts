/** How the other services reach SCM. In one process that is the service itself; between processes it is a `RemoteScm`. */

export type {
  Scm,
  ScmAdminProtocol,
  ScmBlockProtocol,
  ScmDatanodeProtocol,
  ScmLocationProtocol,
  ScmSecretKeyProtocol,
} from '../api/api.ts'
export { RemoteScm } from './remote-scm.ts'
