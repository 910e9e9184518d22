/**
 * SCM: what is where. It knows datanodes, containers and pipelines, hands out block ids in ranges and collects the
 * deletions. It never sees a key.
 */

/** The unit of replication: an append-only file of blocks on a datanode. 1 … 2^53−1. */
export type ContainerId = number & { readonly brand?: 'ContainerId' }
/** Unique within its container; 1 … 2^32−1. */
export type LocalId = number & { readonly brand?: 'LocalId' }
export type DatanodeId = string & { readonly brand?: 'DatanodeId' }
export type PipelineId = string & { readonly brand?: 'PipelineId' }

export interface BlockId {
  readonly container: ContainerId
  readonly local: LocalId
}

/** `count` consecutive local ids of one container, from `firstLocal` on. */
export interface BlockRange {
  readonly container: ContainerId
  readonly firstLocal: LocalId
  readonly count: number
}

/** Reed-Solomon with so many data and parity shards, in cells of 1 MiB. */
export type EcPolicy = 'rs-3-2-1024k' | 'rs-6-3-1024k' | 'rs-10-4-1024k'

/** All of them. The order is persisted: append, never reorder. */
export const ecPolicies: readonly EcPolicy[] = ['rs-3-2-1024k', 'rs-6-3-1024k', 'rs-10-4-1024k']

/**
 * How a bucket's blocks are replicated. Erasure-coded ones are written like those of `RATIS/THREE`, and encoded once their
 * container is closed.
 */
export type ReplicationConfig = 'RATIS/ONE' | 'RATIS/THREE' | `EC/${EcPolicy}`

/** All of them. The order is persisted: append, never reorder. */
export const replicationConfigs: readonly ReplicationConfig[] = [
  'RATIS/ONE',
  'RATIS/THREE',
  'EC/rs-3-2-1024k',
  'EC/rs-6-3-1024k',
  'EC/rs-10-4-1024k',
]

export type ContainerState = 'OPEN' | 'CLOSING' | 'QUASI_CLOSED' | 'CLOSED' | 'DELETING' | 'DELETED'

/** What an administrator wants of a datanode. Planned states are reached when SCM has made copies of what it holds. */
export type NodeOperationalState =
  | 'IN_SERVICE'
  | 'DECOMMISSIONING'
  | 'DECOMMISSIONED'
  | 'ENTERING_MAINTENANCE'
  | 'IN_MAINTENANCE'
/** `STALE`: suspected, for it has been silent for a few seconds. It gets nothing new, and its copies still count. */
export type NodeHealth = 'HEALTHY' | 'STALE' | 'DEAD'
/** `ALLOCATED`: its members are being told. `CLOSED`: takes no more blocks; its members leave it. */
export type PipelineState = 'ALLOCATED' | 'OPEN' | 'CLOSED'

/** How far a datanode is on its way out of service, as the leader that answers knows it. */
export interface NodeDepartureProgress {
  /** That wait for copies elsewhere. */
  readonly containersLeft: number
  readonly bytesLeft: number
  /** Absent while nothing has been copied yet. */
  readonly estimatedSeconds?: number
}

export interface DatanodeInfo {
  readonly id: DatanodeId
  /** Where clients reach it; `local` for one that is in SCM's own process. */
  readonly address: string
  readonly operational: NodeOperationalState
  readonly health: NodeHealth
  readonly registeredMs: number
  readonly lastHeartbeatMs: number
  readonly disks: readonly DiskReport[]
  readonly rack?: string
  /** Open pipelines that it is a member of. */
  readonly pipelines?: number
  /** Containers with a replica on it. */
  readonly containers?: number
  /** Wall time at which maintenance ends by itself. */
  readonly maintenanceUntilMs?: number
  /** While it is being decommissioned, or enters maintenance. */
  readonly departure?: NodeDepartureProgress
}

export interface DiskReport {
  readonly path: string
  readonly uuid: string
  readonly state: 'healthy' | 'failed' | 'full'
  readonly totalBytes: number
  readonly availableBytes: number
  readonly usedBytes: number
  /** Why it has failed, for a person. */
  readonly problem?: string
}

export interface ContainerInfo {
  readonly id: ContainerId
  readonly state: ContainerState
  readonly replication: ReplicationConfig
  /** Through which it is written; empty once it is not. `RATIS/ONE` has none, and says `one-` and its datanode. */
  readonly pipeline: PipelineId
  readonly datanodes: readonly DatanodeId[]
  readonly createdMs: number
  /** The next local id to hand out. */
  readonly nextLocal: LocalId
  /** As last reported. */
  readonly usedBytes: number
  readonly liveBytes: number
}

/** One replica as SCM's leader knows it. */
export interface ReplicaInfo {
  readonly datanode: DatanodeId
  readonly health: NodeHealth
  readonly operational: NodeOperationalState
  /**
   * `held`: in the container's row. `incoming`: a copy is under way. `stray`: its datanode has it, and nobody counts on it.
   */
  readonly standing: 'held' | 'incoming' | 'stray'
  /** Undefined when its datanode has not said anything of it to this leader. */
  readonly report: ContainerReport | undefined
}

/** All that SCM knows of one container. */
export interface ContainerDetails {
  readonly info: ContainerInfo
  readonly origins: readonly DatanodeId[]
  readonly replicas: readonly ReplicaInfo[]
  /** Once it is encoded. */
  readonly ec: { readonly policy: EcPolicy; readonly shards: readonly ContainerId[] } | undefined
  readonly shardOf: { readonly container: ContainerId; readonly index: number } | undefined
  /** Deletion transactions that are not yet carried out. */
  readonly pendingDeletions: number
  /** Of an encoded one: blocks that were deleted and are still in its shards, some perhaps counted twice. */
  readonly deletedBlocks: number
}

export interface PipelineInfo {
  readonly id: PipelineId
  readonly replication: ReplicationConfig
  readonly members: readonly DatanodeId[]
  readonly state: PipelineState
  readonly createdMs: number
  /** As its members last reported; undefined while none of them knows. */
  readonly leader: DatanodeId | undefined
  /** Members that are heard and report it as open. */
  readonly membersReady: number
  readonly openContainers: number
}

/** What a datanode says of one of its containers. */
export interface ContainerReport {
  readonly id: ContainerId
  /** `QUASI_CLOSED`: sealed by itself, because its pipeline was lost; it may lack blocks that another replica has. */
  readonly state: 'OPEN' | 'QUASI_CLOSED' | 'CLOSED' | 'UNHEALTHY'
  /** Of an `UNHEALTHY` one: it was not closed yet, and may be written. */
  readonly open?: boolean
  readonly generation: number
  readonly usedBytes: number
  readonly liveBytes: number
  readonly blockCount: number
  /**
   * Of the live blocks, whatever their order in the file: 16 hex digits. Replicas with the same blocks and bytes, and only
   * those, have the same. Undefined while it is not known.
   */
  readonly contentHash?: string
  /** Of an open container that is written through a pipeline. */
  readonly pipeline?: PipelineId
  /**
   * Of one that is `QUASI_CLOSED`: its member still had all that it ever acknowledged of it. A majority of these has every block
   * that was acknowledged (ADR 11). Whatever else is sealed alone, a copy or what a member has that lost a disk, counts for none.
   */
  readonly isOrigin?: true
}

const factsOfReport = Object.keys({
  id: 0,
  state: 0,
  generation: 0,
  usedBytes: 0,
  liveBytes: 0,
  blockCount: 0,
  contentHash: 0,
  pipeline: 0,
  open: 0,
  isOrigin: 0,
} satisfies Record<keyof ContainerReport, 0>) as readonly (keyof ContainerReport)[]

/** Whether the second says nothing that the first has not said. */
export function isSameReport(a: ContainerReport, b: ContainerReport): boolean {
  return a === b || factsOfReport.every((fact) => a[fact] === b[fact])
}

/** What a datanode says of a pipeline that it is a member of. */
export interface PipelineReport {
  readonly id: PipelineId
  /** `failed`: its log is; the pipeline wants closing. */
  readonly state: 'open' | 'failed'
  readonly leader: DatanodeId | undefined
  readonly term: number
}

/** What became of an encoding that was carried out as far as it was worth it. */
export interface EncodingReport {
  /**
   * `declined`: with so few bytes to leave out it was not worth it. `nothing-left`: every block is among those to leave out. In
   * both cases there are no shards.
   */
  readonly kind: 'encoded' | 'declined' | 'nothing-left'
  /** In the shards; or that would have been. */
  readonly blocks: number
}

/** Work that takes time: copies, encodings, reconstructions. The last report of a task says how it ended. */
export interface TaskReport {
  /** As the command named it. */
  readonly task: string
  readonly state: 'running' | 'done' | 'failed'
  readonly doneBytes: number
  readonly totalBytes: number
  /** Why it failed. */
  readonly message?: string
  /** Of an encoding that is done. */
  readonly encoding?: EncodingReport
}

/**
 * Where a report stands among those of its datanode. A copy that a network delivers late says what is no longer so, and would be
 * believed until something changes again, for what has been answered is not said twice.
 */
export interface ReportOrder {
  /** Of the process: another one for each start. */
  readonly process: string
  /** Rising. */
  readonly number: number
}

export interface RegisterRequest {
  readonly id: DatanodeId
  /** Without it whatever comes is the latest. */
  readonly order?: ReportOrder
  /** `host:port` of its RPC listener, as clients reach it; undefined when it has none: it is called in its process. */
  readonly address: string | undefined
  /** Where it stands: `/rack` or `/room/rack`. Default `/default`. */
  readonly rack?: string
  readonly disks: readonly DiskReport[]
  readonly containers: readonly ContainerReport[]
  readonly pipelines?: readonly PipelineReport[]
}

/** Sent every few seconds. Only what changed since the last one that this member answered; all of it when `full`. */
export interface Heartbeat {
  readonly id: DatanodeId
  /** As in the registration. */
  readonly order?: ReportOrder
  readonly full: boolean
  readonly disks: readonly DiskReport[]
  readonly containers: readonly ContainerReport[]
  /** Deletion transactions carried out durably. */
  readonly deletedTransactions: readonly number[]
  /** All that it is a member of. */
  readonly pipelines?: readonly PipelineReport[]
  /** Those under way, and those that ended since the last heartbeat that was answered. */
  readonly tasks?: readonly TaskReport[]
}

export interface PipelineMember {
  readonly datanode: DatanodeId
  readonly address: string
}

/** A shard of an erasure-coded container is a container of its own, with one replica. */
export interface EcShard {
  readonly container: ContainerId
  readonly replicas: readonly ReplicaLocation[]
}

/** Shards in the order of the code: data first, then parity. */
export interface EcLayout {
  readonly policy: EcPolicy
  readonly shards: readonly EcShard[]
}

/** `count` consecutive local ids of a container that is known, from `firstLocal` on. */
export type LocalRange = Omit<BlockRange, 'container'>

/** What SCM asks of a datanode, in the answer to a heartbeat. Idempotent. */
export type DatanodeCommand =
  | { readonly kind: 'create-container'; readonly container: ContainerId; readonly pipeline?: PipelineId }
  /**
   * `agreed`: through the log of its pipeline, which its leader does. `alone`: now, with what is here, because the pipeline is
   * lost. Without `how` it has no pipeline.
   */
  | {
      readonly kind: 'close-container'
      readonly container: ContainerId
      readonly how?: 'agreed' | 'alone'
      readonly pipeline?: PipelineId
    }
  /** Also of a replica that is one too many. */
  | { readonly kind: 'delete-container'; readonly container: ContainerId }
  | { readonly kind: 'create-pipeline'; readonly pipeline: PipelineId; readonly members: readonly PipelineMember[] }
  /** Forgets the pipeline and its log; its containers are closed before. */
  | { readonly kind: 'close-pipeline'; readonly pipeline: PipelineId }
  /** Makes a closed replica here out of those at `sources`, from several at once. */
  | {
      readonly kind: 'copy-container'
      readonly task: string
      readonly container: ContainerId
      readonly sources: readonly ReplicaLocation[]
    }
  /**
   * Takes from `sources` the blocks that its own sealed replica lacks; then it is `CLOSED`. From an origin only into another origin,
   * else from those that are `CLOSED`: what is whole by that.
   */
  | {
      readonly kind: 'reconcile-container'
      readonly task: string
      readonly container: ContainerId
      readonly sources: readonly ReplicaLocation[]
    }
  /** Encodes a closed container that is here into shards, each made at its place. */
  | {
      readonly kind: 'encode-container'
      readonly task: string
      readonly container: ContainerId
      readonly policy: EcPolicy
      readonly shards: readonly { readonly container: ContainerId; readonly at: ReplicaLocation }[]
      /** It is encoded already: out of these shards, which stay. */
      readonly from?: EcLayout
      /** Blocks that are not taken over: rising, without overlaps. */
      readonly leaveOut?: readonly LocalRange[]
      /** Nothing is done unless so much of the bytes is left out: 0 … 1. Default 0. */
      readonly worthShare?: number
    }
  /** Makes shards anew, here, out of those that are left. */
  | {
      readonly kind: 'reconstruct-shards'
      readonly task: string
      readonly container: ContainerId
      readonly layout: EcLayout
      readonly wanted: readonly number[]
    }
  /** As `reconcile-container`, from whatever replicas there are: nobody is left who could bring more. */
  | {
      readonly kind: 'salvage-container'
      readonly task: string
      readonly container: ContainerId
      readonly sources: readonly ReplicaLocation[]
    }
  | { readonly kind: 'delete-blocks'; readonly transaction: number; readonly blocks: readonly BlockRange[] }
  | { readonly kind: 'full-report' }
  /** This member does not know the datanode (it was started anew): it wants a registration before the next heartbeat. */
  | { readonly kind: 'register' }

/** What one member of SCM answers a datanode. */
export interface DatanodeAnswer {
  /**
   * The term in which the member that answers leads, so that a datanode can tell an old leader from a new one. Undefined: it
   * does not lead, and asks for nothing but reports.
   */
  readonly term: number | undefined
  readonly commands: readonly DatanodeCommand[]
}

/**
 * The datanode's door into one member of SCM. In one process a direct call; between processes the same over RPC. A datanode
 * talks to *every* member: those that follow keep what it reports, so that whoever leads next knows it at once.
 */
export interface ScmDatanodeProtocol {
  register(request: RegisterRequest): Promise<DatanodeAnswer>
  heartbeat(heartbeat: Heartbeat): Promise<DatanodeAnswer>
}

/** With the same id a request is answered, and not done again. At most 48 bytes. */
export interface RequestOptions {
  readonly requestId?: string
}

/** OM's door into SCM. */
export interface ScmBlockProtocol {
  /**
   * Ids of `count` blocks (as few ranges as possible) in containers that take writes now. The containers exist, durably,
   * on their datanodes before this resolves, or are created by the datanode at the first write.
   * Errors: `OutOfSpace` when no datanode has room, `Unavailable` in safemode.
   */
  allocateBlocks(
    request: {
      readonly count: number
      readonly replication: ReplicationConfig
    },
    options?: RequestOptions,
  ): Promise<readonly BlockRange[]>
  /** Takes over the deletion of these blocks: durable when it resolves. Idempotent per block. */
  deleteBlocks(blocks: readonly BlockRange[], options?: RequestOptions): Promise<void>
}

/**
 * A key under which OM and datanodes vouch for things to each other: whoever has it can make tokens and proofs. It is
 * kept in memory, never logged, and on SCM's disks only sealed.
 */
export interface SecretKey {
  /** Counts up from 1: the newest has the highest. At most 2^32−1. */
  readonly id: number
  /** 32 bytes. */
  readonly secret: Uint8Array
  /** It signs from then on, until a newer one does. Wall clock. */
  readonly activeFromMs: number
  /** What it signed is believed until then. */
  readonly expiresMs: number
}

export interface SecretKeys {
  /** Those that are believed now, and the one that will sign next. Never empty. */
  readonly keys: readonly SecretKey[]
  /** Who asks again so often has every key before it signs. */
  readonly refreshMs: number
}

/** The door for OM and datanodes alone: nobody else may know the keys. */
export interface ScmSecretKeyProtocol {
  /** Makes the next key first, when its time has come. `Unavailable` when SCM cannot open or seal keys. */
  secretKeys(): Promise<SecretKeys>
}

/** One replica of a container. */
export interface ReplicaLocation {
  readonly datanode: DatanodeId
  /** As its datanode last registered it; undefined: it is called in its process. It may have moved since. */
  readonly address: string | undefined
  readonly rack?: string
}

/** Where the blocks of a container are. */
export interface ContainerPlace {
  readonly container: ContainerId
  readonly state: ContainerState
  readonly replication: ReplicationConfig
  /** While it is open and written through one: `replicas` are its members. */
  readonly pipeline: PipelineId | undefined
  /** In the order in which a reader that knows nothing better should try; none once it is erasure-coded. */
  readonly replicas: readonly ReplicaLocation[]
  readonly ec: EcLayout | undefined
}

/** Where the readers and writers of blocks find replicas. */
export interface ScmLocationProtocol {
  /** `ContainerNotFound`. */
  locate(container: ContainerId): Promise<ContainerPlace>
}

export interface ScmAdminProtocol {
  listNodes(): Promise<readonly DatanodeInfo[]>
  listContainers(options: { readonly after?: ContainerId; readonly limit: number }): Promise<readonly ContainerInfo[]>
  closeContainer(container: ContainerId, options?: RequestOptions): Promise<void>
  summary(): Promise<ScmSummary>
  /**
   * Makes the next secret key before its time; it signs as soon as all have had the time to ask for it (`secretKeyLeadMs`).
   * Older ones are believed until they expire. Resolves with its id.
   */
  rotateSecretKey(options?: RequestOptions): Promise<number>
}

/** The administrator's doors to what moves by itself. */
export interface ScmOperationsProtocol {
  listPipelines(): Promise<readonly PipelineInfo[]>
  /** It takes no more blocks; its containers are closed, then its members leave it. Idempotent. `InvalidArgument`: there is none. */
  closePipeline(pipeline: PipelineId, options?: RequestOptions): Promise<void>
  /** `ContainerNotFound`. */
  containerInfo(container: ContainerId): Promise<ContainerDetails>
  /**
   * Begins to take a datanode out of service, or takes it back. `InvalidArgument` for one that is not known, or that too few
   * would be left without (`force` does it all the same).
   */
  setOperational(request: OperationalRequest, options?: RequestOptions): Promise<void>
  safemode(): Promise<SafemodeStatus>
  /** From now on, until the leader changes. */
  exitSafemode(): Promise<void>
  deletedBlocks(): Promise<DeletedBlocksSummary>
  /** How whole the containers are. */
  replicationReport(): Promise<ReplicationReport>
  balancer(): Promise<BalancerStatus>
  /** Until the leader changes; it begins as configured. */
  setBalancer(to: 'on' | 'off'): Promise<void>
}

/** Of containers that are closed. The first that holds, in this order, which is also that of the wire: append, never reorder. */
export const containerHealths = [
  /** No replica is known to be anywhere alive. */
  'MISSING',
  /** Sealed by fewer members than it takes to know that every acknowledged block is there. */
  'QUASI_CLOSED_STUCK',
  /** Replicas that should have the same blocks have not. */
  'DIFFERING',
  'UNDER_REPLICATED',
  /** A replica is damaged; or all are. */
  'UNHEALTHY',
  'OVER_REPLICATED',
  /** Enough replicas, and too many of them in one rack or on one datanode. */
  'MIS_REPLICATED',
  'HEALTHY',
] as const
export type ContainerHealth = (typeof containerHealths)[number]

export interface ReplicationReport {
  readonly healths: readonly {
    readonly health: ContainerHealth
    readonly containers: number
    /** At most 100 of them, in the order of their ids. */
    readonly sample: readonly ContainerId[]
  }[]
  readonly states: Readonly<Record<ContainerState, number>>
  /** Copies, reconstructions and encodings under way. */
  readonly tasks: number
  /** Containers for which nothing can be done as things are, though something should. Absent: there are none. */
  readonly blocked?: {
    readonly containers: number
    /** At most 10. */
    readonly sample: readonly { readonly container: ContainerId; readonly why: string }[]
  }
  /** False: something has happened that is not judged yet. */
  readonly settled: boolean
}

export interface BalancerStatus {
  readonly on: boolean
  /** Datanodes are out of bounds, and it is bringing them back. */
  readonly active: boolean
  /** Of the space of the datanodes in service: 0 … 1. */
  readonly meanUsedShare: number
  readonly largestDeviation: number
  readonly movesUnderWay: number
  /** Begun since the term began. */
  readonly moves: number
  readonly movedBytes: number
}

export interface OperationalRequest {
  readonly datanode: DatanodeId
  /** Where it is to end: the states between are SCM's. */
  readonly wanted: 'IN_SERVICE' | 'DECOMMISSIONED' | 'IN_MAINTENANCE'
  /** Wall time at which maintenance ends by itself. */
  readonly untilMs?: number
  readonly force?: boolean
}

/** After the start of a leader's term it serves reads at once, and waits with the rest until it has heard enough. */
export interface SafemodeStatus {
  /** True while no blocks are handed out. */
  readonly on: boolean
  /** What it waits for, for people; empty when it is off. */
  readonly reasons: readonly string[]
  /** True once copies of what is missing may be made. */
  readonly repairs: boolean
}

/** Deletions that are not yet carried out everywhere. */
export interface DeletedBlocksSummary {
  readonly transactions: number
  readonly blocks: number
  /** Of those, which wait for their container to be closed, for a copy under way, or for replicas to agree. */
  readonly heldTransactions: number
  /** Transactions that wait for this datanode. */
  readonly waitingFor: readonly { readonly datanode: DatanodeId; readonly transactions: number }[]
}

export interface ScmSummary {
  readonly containers: Readonly<Record<ContainerState, number>>
  readonly pendingDeletionBlocks: number
  readonly totalBytes: number
  readonly availableBytes: number
}

/**
 * All doors of one member. Beside the errors of each, all but the datanode's reject with `NotLeader` (nothing happened;
 * `leader` in the details when it is known) at a member that does not lead.
 */
export interface Scm
  extends
    ScmDatanodeProtocol,
    ScmBlockProtocol,
    ScmLocationProtocol,
    ScmSecretKeyProtocol,
    ScmAdminProtocol,
    ScmOperationsProtocol {}
