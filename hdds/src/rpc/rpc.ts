/** A datanode for other processes. What calls it is `RemoteDatanode`, in `client`. */

export type { TokenCheck } from './token-check.ts'
export { datanodeRpcLimits, serveDatanode } from './serve-datanode.ts'
export type { ServeDatanodeOptions, ServedDatanode } from './serve-datanode.ts'
