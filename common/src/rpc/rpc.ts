/** The wire between our own processes, and of the native interface: its layout is in `frame.ts`. */

export { certificateClient, certificateServer, trustedClient, trustedServer } from './authentication.ts'
export type {
  Accepted,
  ClientAuthentication,
  ClientHandshake,
  Dialled,
  ServerAuthentication,
  ServerHandshake,
} from './authentication.ts'
export { keyClient, keyServer } from './key-authentication.ts'
export type { ClientKey, KnownKey } from './key-authentication.ts'
export { defaultRpcLimits } from './limits.ts'
export type { RpcLimits } from './limits.ts'
export { RpcClient } from './rpc-client.ts'
export type { RpcClientOptions } from './rpc-client.ts'
export type { CallSignal, RpcCallOptions, RpcResult } from './client-call.ts'
export { RpcServer } from './rpc-server.ts'
export type { RpcMethods, RpcServerOptions } from './rpc-server.ts'
export type { RpcCall, RpcHandler, RpcReply } from './server-call.ts'
export { asAnswer, isAnswer } from './answered-errors.ts'
export type { RpcBody } from './outbound-body.ts'
export { GroupClient } from './group-client.ts'
export type { GroupCallOptions, GroupClientOptions, GroupPayload } from './group-client.ts'
export type { GroupMember } from './roster.ts'
export { askerOf, serveMethods } from './method-table.ts'
export type {
  Ask,
  Fenced,
  Method,
  MethodCaller,
  MethodHandlers,
  MethodTable,
  ReplyOf,
  RequestOf,
  ServeOptions,
} from './method-table.ts'
