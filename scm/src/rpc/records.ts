/** The records of SCM as they cross the wire. */

import { count, flag, listOf, oneOf, optional, orUndefined, pageOf, record, text, word } from '@o3/common/codec/record'
import type { Codec, Page } from '@o3/common/codec/record'
import type {
  BlockRange,
  ContainerInfo,
  ContainerReport,
  ContainerState,
  DatanodeCommand,
  DatanodeInfo,
  DiskReport,
  Heartbeat,
  RegisterRequest,
  ReplicaLocation,
  ReplicationConfig,
  ScmSummary,
} from '../api/api.ts'

export const replication: Codec<ReplicationConfig> = word('RATIS/ONE')
export const containerState: Codec<ContainerState> = word(
  'OPEN',
  'CLOSING',
  'QUASI_CLOSED',
  'CLOSED',
  'DELETING',
  'DELETED',
)
export const replicaLocation = record<ReplicaLocation>({ datanode: text, address: orUndefined(text) })
export const blockRange = record<BlockRange>({ container: count, firstLocal: count, count })

// ------------------------------------------------------------------------------------------------------- datanodes

export const diskReport = record<DiskReport>({
  path: text,
  uuid: text,
  state: word('healthy', 'failed', 'full'),
  totalBytes: count,
  availableBytes: count,
  usedBytes: count,
})

export const containerReport = record<ContainerReport>({
  id: count,
  state: word('OPEN', 'CLOSED', 'UNHEALTHY'),
  generation: count,
  usedBytes: count,
  liveBytes: count,
  blockCount: count,
})

export const registerRequest = record<RegisterRequest>({
  id: text,
  address: orUndefined(text),
  disks: listOf(diskReport),
  containers: listOf(containerReport),
})

export const heartbeat = record<Heartbeat>({
  id: text,
  full: flag,
  disks: listOf(diskReport),
  containers: listOf(containerReport),
  deletedTransactions: listOf(count),
})

/** A kind is sent as its place in the list: new ones go to the end. */
export const datanodeCommand = oneOf<DatanodeCommand>({
  'create-container': record({ container: count }),
  'close-container': record({ container: count }),
  'delete-container': record({ container: count }),
  'delete-blocks': record({ transaction: count, blocks: listOf(blockRange) }),
  'full-report': record({}),
  register: record({}),
})

/** Commands that an answer does not hold come with a later heartbeat: SCM repeats them until they are done. */
export interface PagedAnswer {
  readonly term: number | undefined
  readonly commands: Page<DatanodeCommand>
}

export const datanodeAnswer = record<PagedAnswer>({ term: orUndefined(count), commands: pageOf(datanodeCommand) })

// ----------------------------------------------------------------------------------------------------------- admin

export const datanodeInfo = record<DatanodeInfo>({
  id: text,
  address: text,
  operational: word('IN_SERVICE', 'DECOMMISSIONING', 'DECOMMISSIONED'),
  health: word('HEALTHY', 'STALE', 'DEAD'),
  registeredMs: count,
  lastHeartbeatMs: count,
  disks: listOf(diskReport),
})

export const containerInfo = record<ContainerInfo>({
  id: count,
  state: containerState,
  replication,
  pipeline: text,
  datanodes: listOf(text),
  createdMs: count,
  nextLocal: count,
  usedBytes: count,
  liveBytes: count,
})

export const scmSummary = record<ScmSummary>({
  containers: record<ScmSummary['containers']>({
    OPEN: count,
    CLOSING: count,
    QUASI_CLOSED: count,
    CLOSED: count,
    DELETING: count,
    DELETED: count,
  }),
  pendingDeletionBlocks: count,
  totalBytes: count,
  availableBytes: count,
})

export const containerQuery = record<{ readonly after?: number; readonly limit: number }>({
  after: optional(count),
  limit: count,
})
