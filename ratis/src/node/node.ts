/** A member of a Raft group: `openRaftNode` for a state machine, `RpcTransport` between processes. */

export type { Consensus, LogFacts, SnapshotReceiver, SnapshotSource, StateMachine } from './consensus.ts'
export type { Configuration } from '../core/configuration.ts'
export { noConfiguration } from '../core/configuration.ts'
export { entryKind, type Entry, type NodeId } from '../core/entry.ts'
export type { MembershipChange, RaftOptions, RaftStatus } from '../core/raft.ts'
export { openRaftNode, type RaftNodeOptions, type RecoveredMachine } from './open-raft-node.ts'
export { parsePeerAddress } from './peer-address.ts'
export type { RaftNode, RaftNodeLimits } from './raft-node.ts'
export { raftMethods, RpcTransport, type MaySpeakFor, type RpcTransportOptions } from './rpc-transport.ts'
export type { RaftTransport } from './transport.ts'
