/** A datanode for other processes. What calls it is `RemoteDatanode`, in `client`. */

export { datanodeRpcLimits, serveDatanode } from './serve-datanode.ts'
export type { ServeDatanodeOptions } from './serve-datanode.ts'
export type { ExchangeName, ListingName } from './methods.ts'
