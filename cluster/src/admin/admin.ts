/** What `o3 admin om` and `o3 admin scm` ask. */

export { parsePeers } from '../cluster-file/cluster-file.ts'
export type { Member } from '../cluster-file/cluster-file.ts'
export { clusterFileIn } from '../cluster-file/read-cluster.ts'
export { GroupControl } from './group-control.ts'
export type { FollowerStatus, GroupMemberStatus, GroupName, MemberReport } from './group-control.ts'
export { ScmControl } from './scm-control.ts'
export type { ScrubFinding } from '@o3/hdds/api'
export type {
  ContainerDetails,
  ContainerHealth,
  DatanodeId,
  DatanodeInfo,
  NodeOperationalState,
  OperationalRequest,
  ReplicaInfo,
  ReplicationReport,
} from '@o3/scm/api'
