/** One request and one reply of every method, with every field in use. */

import type { ReplyOf, RequestOf } from '@o3/common/rpc'
import type { ContainerReport, DatanodeCommand, DiskReport } from '../../src/api/api.ts'
import type { ScmMethods } from '../../src/rpc/rpc.ts'

const replication = 'RATIS/ONE' as const
const range = { container: 2 ** 40 + 1, firstLocal: 4_000_000_000, count: 65_536 }

const disk: DiskReport = {
  path: '/data/1',
  uuid: 'u-1',
  state: 'full',
  totalBytes: 2 ** 44,
  availableBytes: 0,
  usedBytes: 2 ** 44,
  problem: 'no room',
}
const report: ContainerReport = {
  id: 7,
  state: 'UNHEALTHY',
  generation: 3,
  usedBytes: 2 ** 32,
  liveBytes: 5,
  blockCount: 6,
}

export const commands: readonly DatanodeCommand[] = [
  { kind: 'create-container', container: 1 },
  { kind: 'close-container', container: 2 },
  { kind: 'delete-container', container: 3 },
  { kind: 'delete-blocks', transaction: 4, blocks: [range] },
  { kind: 'full-report' },
  { kind: 'register' },
  { kind: 'create-container', container: 1, pipeline: 'pipeline-1' },
  { kind: 'close-container', container: 2, how: 'agreed', pipeline: 'pipeline-1' },
  { kind: 'create-pipeline', pipeline: 'pipeline-1', members: [{ datanode: 'dn', address: 'host:1' }] },
  { kind: 'close-pipeline', pipeline: 'pipeline-1' },
  { kind: 'reconcile-container', task: 't', container: 5, sources: [{ datanode: 'dn', address: 'host:1' }] },
  { kind: 'salvage-container', task: 't', container: 5, sources: [{ datanode: 'dn', address: 'host:1' }] },
  {
    kind: 'encode-container',
    task: 't',
    container: 6,
    policy: 'rs-3-2-1024k',
    shards: [{ container: 12, at: { datanode: 'dn', address: 'host:1' } }],
  },
  {
    kind: 'encode-container',
    task: 't',
    container: 6,
    policy: 'rs-3-2-1024k',
    shards: [],
    from: { policy: 'rs-6-3-1024k', shards: [{ container: 7, replicas: [{ datanode: 'dn', address: undefined }] }] },
    leaveOut: [{ firstLocal: 4_000_000_000, count: 3 }],
    worthShare: 0.375,
  },
]

export const calls: {
  readonly [M in keyof ScmMethods]: {
    readonly request: RequestOf<ScmMethods[M]>
    readonly reply: ReplyOf<ScmMethods[M]>
  }
} = {
  'scm.register.1': {
    request: {
      id: 'dn',
      address: 'host:1',
      rack: '/room/r1',
      disks: [disk],
      containers: [
        report,
        { ...report, open: true },
        { ...report, state: 'QUASI_CLOSED', contentHash: '00ff00ff00ff00ff', pipeline: 'pipeline-1' },
        { ...report, state: 'QUASI_CLOSED', isOrigin: true },
      ],
      pipelines: [{ id: 'pipeline-1', state: 'open', leader: 'dn', term: 3 }],
      order: { process: 'one', number: 1 },
    },
    reply: { term: 2 ** 40, commands: { items: commands, truncated: false } },
  },
  'scm.heartbeat.1': {
    request: {
      id: 'dn',
      full: true,
      disks: [disk],
      containers: [report],
      deletedTransactions: [1, 300],
      pipelines: [{ id: 'pipeline-1', state: 'failed', leader: undefined, term: 0 }],
      tasks: [
        { task: 't', state: 'failed', doneBytes: 1, totalBytes: 300, message: 'no' },
        { task: 'u', state: 'done', doneBytes: 1, totalBytes: 1, encoding: { kind: 'declined', blocks: 300 } },
      ],
      order: { process: 'one', number: 300 },
    },
    reply: { term: undefined, commands: { items: commands.slice(0, 1), truncated: true } },
  },
  'scm.allocateBlocks.1': { request: { requestId: 'r1', term: 2 ** 40, count: 100, replication }, reply: [range] },
  'scm.deleteBlocks.1': { request: { requestId: 'r2', term: 7, blocks: [range] }, reply: undefined },
  'scm.locate.1': {
    request: 7,
    reply: {
      container: 7,
      state: 'CLOSED',
      replication: 'EC/rs-3-2-1024k',
      pipeline: 'p1',
      replicas: [
        { datanode: 'dn', address: 'host:1', rack: '/r1' },
        { datanode: 'here', address: undefined },
      ],
      ec: { policy: 'rs-3-2-1024k', shards: [{ container: 8, replicas: [{ datanode: 'dn', address: 'host:1' }] }] },
    },
  },
  'scm.secretKeys.1': {
    request: undefined,
    reply: {
      keys: [
        { id: 2 ** 32 - 1, secret: new Uint8Array(32).fill(7), activeFromMs: 1_700_000_000_000, expiresMs: 2 ** 41 },
      ],
      refreshMs: 900_000,
    },
  },
  'scm.rotateSecretKey.1': { request: { requestId: 'r4', term: 7 }, reply: 3 },
  'scm.listNodes.1': {
    request: { after: 'dn' },
    reply: {
      items: [
        {
          id: 'dn',
          address: 'host:1',
          operational: 'DECOMMISSIONING',
          health: 'STALE',
          registeredMs: 5,
          lastHeartbeatMs: 1_700_000_000_000,
          disks: [disk],
          rack: '/room/r1',
          pipelines: 2,
          containers: 300,
          maintenanceUntilMs: 1_800_000_000_000,
          departure: { containersLeft: 12, bytesLeft: 2 ** 40, estimatedSeconds: 60 },
        },
      ],
      truncated: true,
    },
  },
  'scm.listContainers.1': {
    request: { after: 6, limit: 100 },
    reply: {
      items: [
        {
          id: 7,
          state: 'QUASI_CLOSED',
          replication,
          pipeline: 'one-dn',
          datanodes: ['dn'],
          createdMs: 5,
          nextLocal: 9,
          usedBytes: 10,
          liveBytes: 11,
        },
      ],
      truncated: false,
    },
  },
  'scm.closeContainer.1': { request: { requestId: 'r3', term: 7, container: 7 }, reply: undefined },
  'scm.summary.1': {
    request: undefined,
    reply: {
      containers: { OPEN: 1, CLOSING: 2, QUASI_CLOSED: 3, CLOSED: 4, DELETING: 5, DELETED: 6 },
      pendingDeletionBlocks: 7,
      totalBytes: 8,
      availableBytes: 9,
    },
  },
  'scm.listPipelines.1': {
    request: { after: 'pipeline-1' },
    reply: {
      items: [
        {
          id: 'pipeline-2',
          replication: 'RATIS/THREE',
          members: ['d', 'e', 'f'],
          state: 'OPEN',
          createdMs: 5,
          leader: 'e',
          membersReady: 3,
          openContainers: 2,
        },
      ],
      truncated: true,
    },
  },
  'scm.closePipeline.1': { request: { requestId: 'r4', term: 7, pipeline: 'pipeline-2' }, reply: undefined },
  'scm.containerInfo.1': {
    request: 7,
    reply: {
      info: {
        id: 7,
        state: 'CLOSED',
        replication: 'EC/rs-3-2-1024k',
        pipeline: '',
        datanodes: ['d'],
        createdMs: 5,
        nextLocal: 9,
        usedBytes: 10,
        liveBytes: 11,
      },
      origins: ['d', 'e', 'f'],
      replicas: [
        { datanode: 'd', health: 'HEALTHY', operational: 'IN_SERVICE', standing: 'held', report },
        { datanode: 'e', health: 'DEAD', operational: 'IN_MAINTENANCE', standing: 'stray', report: undefined },
      ],
      ec: { policy: 'rs-3-2-1024k', shards: [8, 9] },
      shardOf: { container: 3, index: 1 },
      pendingDeletions: 4,
      deletedBlocks: 5,
    },
  },
  'scm.setOperational.1': {
    request: { requestId: 'r5', term: 7, datanode: 'd', wanted: 'IN_MAINTENANCE', untilMs: 300, force: true },
    reply: undefined,
  },
  'scm.safemode.1': { request: undefined, reply: { on: true, reasons: ['because'], repairs: false } },
  'scm.exitSafemode.1': { request: undefined, reply: undefined },
  'scm.replicationReport.1': {
    request: undefined,
    reply: {
      healths: [{ health: 'UNDER_REPLICATED', containers: 300, sample: [1, 2] }],
      states: { OPEN: 1, CLOSING: 2, QUASI_CLOSED: 3, CLOSED: 4, DELETING: 5, DELETED: 6 },
      tasks: 7,
      blocked: { containers: 300, sample: [{ container: 2, why: 'no place' }] },
      settled: true,
    },
  },
  'scm.balancer.1': {
    request: undefined,
    reply: {
      on: true,
      active: false,
      meanUsedShare: 0.25,
      largestDeviation: 0.125,
      movesUnderWay: 1,
      moves: 300,
      movedBytes: 2 ** 40,
    },
  },
  'scm.setBalancer.1': { request: 'off', reply: undefined },
  'scm.deletedBlocks.1': {
    request: undefined,
    reply: {
      transactions: 5,
      blocks: 600,
      heldTransactions: 1,
      waitingFor: [{ datanode: 'd', transactions: 4 }],
    },
  },
}
