/** How a block store is reached: the datanodes of this process and of others, and the client that finds them. */

export { addressText, parseAddress } from './address.ts'
export { EcReader } from '../ec/ec-reader.ts'
export { openCodePool } from '../ec/code-pool.ts'
export { WasmErasureCode } from '../ec/erasure-code.ts'
export { BlockClient, defaultBlockPatience } from './block-client.ts'
export type { BlockReplica, EncodedPlace, FindDatanode } from './container-places.ts'
export type { BlockClientOptions, BlockPatience, EncodedReader } from './block-client.ts'
export { DatanodeDirectory } from './datanode-directory.ts'
export type { DatanodeDirectoryOptions } from './datanode-directory.ts'
export { RemoteDatanode } from './remote-datanode.ts'
export type { RemoteDatanodeOptions } from './remote-datanode.ts'
