/** OM as others call it. In one process that is `OmService` itself; between processes it is a `RemoteOm`. */
export type { OmClient } from '../api/api.ts'
export { RemoteOm } from './remote-om.ts'
export type { OmGroup } from './remote-om.ts'
