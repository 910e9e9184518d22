/** OM as a process of its own: its doors served, and the table that both ends share. */

export { omMethods } from './methods.ts'
export type { ExecuteRequest, LeaseRequest, OmMethods } from './methods.ts'
export { serveOm } from './serve-om.ts'
export type { ServedOm } from './serve-om.ts'
