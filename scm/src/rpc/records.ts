/** The records of SCM as they cross the wire. */

import {
  count,
  flag,
  listOf,
  oneOf,
  optional,
  orUndefined,
  ownBytes,
  pageOf,
  record,
  text,
  word,
} from '@o3/common/codec/record'
import type { Codec, Page } from '@o3/common/codec/record'
import type {
  BalancerStatus,
  BlockRange,
  ContainerDetails,
  ContainerInfo,
  ContainerReport,
  ContainerState,
  DatanodeCommand,
  DatanodeInfo,
  DeletedBlocksSummary,
  DiskReport,
  Heartbeat,
  NodeDepartureProgress,
  PipelineInfo,
  RegisterRequest,
  ReportOrder,
  ReplicationReport,
  ReplicaInfo,
  ReplicaLocation,
  ReplicationConfig,
  SafemodeStatus,
  ScmSummary,
  SecretKey,
  SecretKeys,
  ContainerPlace,
  EcLayout,
  EcPolicy,
  EcShard,
  PipelineMember,
  PipelineReport,
  EncodingReport,
  LocalRange,
  TaskReport,
} from '../api/api.ts'
import { containerHealths, replicationConfigs } from '../api/api.ts'

export const replication: Codec<ReplicationConfig> = word(...replicationConfigs)
export const containerState: Codec<ContainerState> = word(
  'OPEN',
  'CLOSING',
  'QUASI_CLOSED',
  'CLOSED',
  'DELETING',
  'DELETED',
)
export const replicaLocation = record<ReplicaLocation>({
  datanode: text,
  address: orUndefined(text),
  rack: optional(text),
})
const ecPolicy: Codec<EcPolicy> = word('rs-3-2-1024k', 'rs-6-3-1024k', 'rs-10-4-1024k')
const ecLayout = record<EcLayout>({
  policy: ecPolicy,
  shards: listOf(record<EcShard>({ container: count, replicas: listOf(replicaLocation) })),
})
export const containerPlace = record<ContainerPlace>({
  container: count,
  state: containerState,
  replication,
  pipeline: orUndefined(text),
  replicas: listOf(replicaLocation),
  ec: orUndefined(ecLayout),
})
export const blockRange = record<BlockRange>({ container: count, firstLocal: count, count })

// ------------------------------------------------------------------------------------------------------- datanodes

export const diskReport = record<DiskReport>({
  path: text,
  uuid: text,
  state: word('healthy', 'failed', 'full'),
  totalBytes: count,
  availableBytes: count,
  usedBytes: count,
  problem: optional(text),
})

type SentReport = Omit<ContainerReport, 'state' | 'isOrigin'> & { readonly state: ContainerReport['state'] | 'ORIGIN' }

const sentReport = record<SentReport>({
  id: count,
  state: word('OPEN', 'CLOSED', 'UNHEALTHY', 'QUASI_CLOSED', 'ORIGIN'),
  generation: count,
  usedBytes: count,
  liveBytes: count,
  blockCount: count,
  contentHash: optional(text),
  pipeline: optional(text),
  open: optional(flag),
})

/** An origin that is `QUASI_CLOSED` has a word of its own there. */
export const containerReport: Codec<ContainerReport> = {
  write: (writer, { isOrigin, ...report }) =>
    sentReport.write(writer, isOrigin ? { ...report, state: 'ORIGIN' } : report),
  read: (reader) => {
    const { state, ...report } = sentReport.read(reader)
    return state === 'ORIGIN' ? { ...report, state: 'QUASI_CLOSED', isOrigin: true } : { ...report, state }
  },
}

export const pipelineReport = record<PipelineReport>({
  id: text,
  state: word('open', 'failed'),
  leader: orUndefined(text),
  term: count,
})

const encodingReport = record<EncodingReport>({ kind: word('encoded', 'declined', 'nothing-left'), blocks: count })

export const taskReport = record<TaskReport>({
  task: text,
  state: word('running', 'done', 'failed'),
  doneBytes: count,
  totalBytes: count,
  message: optional(text),
  encoding: optional(encodingReport),
})

const reportOrder = record<ReportOrder>({ process: text, number: count })

export const registerRequest = record<RegisterRequest>({
  id: text,
  address: orUndefined(text),
  rack: optional(text),
  disks: listOf(diskReport),
  containers: listOf(containerReport),
  pipelines: optional(listOf(pipelineReport)),
  order: optional(reportOrder),
})

export const heartbeat = record<Heartbeat>({
  id: text,
  full: flag,
  disks: listOf(diskReport),
  containers: listOf(containerReport),
  deletedTransactions: listOf(count),
  pipelines: optional(listOf(pipelineReport)),
  tasks: optional(listOf(taskReport)),
  order: optional(reportOrder),
})

/** 0 … 1, to a millionth. */
const share: Codec<number> = {
  write: (writer, value) => void writer.varint(Math.round(value * 1e6)),
  read: (reader) => reader.varint() / 1e6,
}

const pipelineMember = record<PipelineMember>({ datanode: text, address: text })
const newShard = record<{ readonly container: number; readonly at: ReplicaLocation }>({
  container: count,
  at: replicaLocation,
})
const taskFields = { task: text, container: count }

type Fieldset<Kind extends DatanodeCommand['kind']> = Omit<Extract<DatanodeCommand, { readonly kind: Kind }>, 'kind'>

/** A kind is sent as its place in the list: new ones go to the end. */
export const datanodeCommand = oneOf<DatanodeCommand>({
  'create-container': record<Fieldset<'create-container'>>({ container: count, pipeline: optional(text) }),
  'close-container': record<Fieldset<'close-container'>>({
    container: count,
    how: optional(word('agreed', 'alone')),
    pipeline: optional(text),
  }),
  'delete-container': record({ container: count }),
  'delete-blocks': record({ transaction: count, blocks: listOf(blockRange) }),
  'full-report': record({}),
  register: record({}),
  'create-pipeline': record({ pipeline: text, members: listOf(pipelineMember) }),
  'close-pipeline': record({ pipeline: text }),
  'copy-container': record({ ...taskFields, sources: listOf(replicaLocation) }),
  'reconcile-container': record({ ...taskFields, sources: listOf(replicaLocation) }),
  'encode-container': record<Fieldset<'encode-container'>>({
    ...taskFields,
    policy: ecPolicy,
    shards: listOf(newShard),
    from: optional(ecLayout),
    leaveOut: optional(listOf(record<LocalRange>({ firstLocal: count, count }))),
    worthShare: optional(share),
  }),
  'reconstruct-shards': record({ ...taskFields, layout: ecLayout, wanted: listOf(count) }),
  'salvage-container': record({ ...taskFields, sources: listOf(replicaLocation) }),
})

/** Commands that an answer does not hold come with a later heartbeat: SCM repeats them until they are done. */
export interface PagedAnswer {
  readonly term: number | undefined
  readonly commands: Page<DatanodeCommand>
}

export const datanodeAnswer = record<PagedAnswer>({ term: orUndefined(count), commands: pageOf(datanodeCommand) })

// ------------------------------------------------------------------------------------------------------------ keys

/** Kept for days, and what they came with should not be. */
const secretKey = record<SecretKey>({ id: count, secret: ownBytes, activeFromMs: count, expiresMs: count })
export const secretKeys = record<SecretKeys>({ keys: listOf(secretKey), refreshMs: count })

// ----------------------------------------------------------------------------------------------------------- admin

export const datanodeInfo = record<DatanodeInfo>({
  id: text,
  address: text,
  operational: word('IN_SERVICE', 'DECOMMISSIONING', 'DECOMMISSIONED', 'ENTERING_MAINTENANCE', 'IN_MAINTENANCE'),
  health: word('HEALTHY', 'STALE', 'DEAD'),
  registeredMs: count,
  lastHeartbeatMs: count,
  disks: listOf(diskReport),
  rack: optional(text),
  pipelines: optional(count),
  containers: optional(count),
  maintenanceUntilMs: optional(count),
  departure: optional(
    record<NodeDepartureProgress>({ containersLeft: count, bytesLeft: count, estimatedSeconds: optional(count) }),
  ),
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

const containersByState = record<ScmSummary['containers']>({
  OPEN: count,
  CLOSING: count,
  QUASI_CLOSED: count,
  CLOSED: count,
  DELETING: count,
  DELETED: count,
})

export const scmSummary = record<ScmSummary>({
  containers: containersByState,
  pendingDeletionBlocks: count,
  totalBytes: count,
  availableBytes: count,
})

const operational = word('IN_SERVICE', 'DECOMMISSIONING', 'DECOMMISSIONED', 'ENTERING_MAINTENANCE', 'IN_MAINTENANCE')
const health = word('HEALTHY', 'STALE', 'DEAD')

export const pipelineInfo = record<PipelineInfo>({
  id: text,
  replication,
  members: listOf(text),
  state: word('ALLOCATED', 'OPEN', 'CLOSED'),
  createdMs: count,
  leader: orUndefined(text),
  membersReady: count,
  openContainers: count,
})

const replicaInfo = record<ReplicaInfo>({
  datanode: text,
  health,
  operational,
  standing: word('held', 'incoming', 'stray'),
  report: orUndefined(containerReport),
})

export const containerDetails = record<ContainerDetails>({
  info: containerInfo,
  origins: listOf(text),
  replicas: listOf(replicaInfo),
  ec: orUndefined(record<NonNullable<ContainerDetails['ec']>>({ policy: ecPolicy, shards: listOf(count) })),
  shardOf: orUndefined(record<NonNullable<ContainerDetails['shardOf']>>({ container: count, index: count })),
  pendingDeletions: count,
  deletedBlocks: count,
})

export const safemodeStatus = record<SafemodeStatus>({ on: flag, reasons: listOf(text), repairs: flag })

export const deletedBlocks = record<DeletedBlocksSummary>({
  transactions: count,
  blocks: count,
  heldTransactions: count,
  waitingFor: listOf(record<DeletedBlocksSummary['waitingFor'][number]>({ datanode: text, transactions: count })),
})

/** What is wanted of a datanode. */
export const wantedOperational = word('IN_SERVICE', 'DECOMMISSIONED', 'IN_MAINTENANCE')

export const containerQuery = record<{ readonly after?: number; readonly limit: number }>({
  after: optional(count),
  limit: count,
})

const healthCount = record<ReplicationReport['healths'][number]>({
  health: word(...containerHealths),
  containers: count,
  sample: listOf(count),
})

export const replicationReport = record<ReplicationReport>({
  healths: listOf(healthCount),
  states: containersByState,
  tasks: count,
  blocked: optional(
    record<NonNullable<ReplicationReport['blocked']>>({
      containers: count,
      sample: listOf(record<{ readonly container: number; readonly why: string }>({ container: count, why: text })),
    }),
  ),
  settled: flag,
})

export const balancerStatus = record<BalancerStatus>({
  on: flag,
  active: flag,
  meanUsedShare: share,
  largestDeviation: share,
  movesUnderWay: count,
  moves: count,
  movedBytes: count,
})
