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

/** How a bucket's blocks are replicated. Later issues add `RATIS/THREE` and the erasure-coded forms. */
export type ReplicationConfig = 'RATIS/ONE'

export type ContainerState = 'OPEN' | 'CLOSING' | 'QUASI_CLOSED' | 'CLOSED' | 'DELETING' | 'DELETED'

export type NodeOperationalState = 'IN_SERVICE' | 'DECOMMISSIONING' | 'DECOMMISSIONED'
export type NodeHealth = 'HEALTHY' | 'STALE' | 'DEAD'

export interface DatanodeInfo {
  readonly id: DatanodeId
  /** Where clients reach it; `local` for one that is in SCM's own process. */
  readonly address: string
  readonly operational: NodeOperationalState
  readonly health: NodeHealth
  readonly registeredMs: number
  readonly lastHeartbeatMs: number
  readonly disks: readonly DiskReport[]
}

export interface DiskReport {
  readonly path: string
  readonly uuid: string
  readonly state: 'healthy' | 'failed' | 'full'
  readonly totalBytes: number
  readonly availableBytes: number
  readonly usedBytes: number
}

export interface ContainerInfo {
  readonly id: ContainerId
  readonly state: ContainerState
  readonly replication: ReplicationConfig
  readonly pipeline: PipelineId
  readonly datanodes: readonly DatanodeId[]
  readonly createdMs: number
  /** The next local id to hand out. */
  readonly nextLocal: LocalId
  /** As last reported. */
  readonly usedBytes: number
  readonly liveBytes: number
}

/** What a datanode says of one of its containers. */
export interface ContainerReport {
  readonly id: ContainerId
  readonly state: 'OPEN' | 'CLOSED' | 'UNHEALTHY'
  readonly generation: number
  readonly usedBytes: number
  readonly liveBytes: number
  readonly blockCount: number
}

export interface RegisterRequest {
  readonly id: DatanodeId
  /** `host:port` of its RPC listener, as clients reach it; undefined when it has none: it is called in its process. */
  readonly address: string | undefined
  readonly disks: readonly DiskReport[]
  readonly containers: readonly ContainerReport[]
}

/** Sent every few seconds. Only what changed since the last one that was answered; all of it when `full`. */
export interface Heartbeat {
  readonly id: DatanodeId
  readonly full: boolean
  readonly disks: readonly DiskReport[]
  readonly containers: readonly ContainerReport[]
  /** Deletion transactions carried out durably. */
  readonly deletedTransactions: readonly number[]
}

/** What SCM asks of a datanode, in the answer to a heartbeat. Idempotent. */
export type DatanodeCommand =
  | { readonly kind: 'create-container'; readonly container: ContainerId }
  | { readonly kind: 'close-container'; readonly container: ContainerId }
  | { readonly kind: 'delete-container'; readonly container: ContainerId }
  | { readonly kind: 'delete-blocks'; readonly transaction: number; readonly blocks: readonly BlockRange[] }
  | { readonly kind: 'full-report' }

/** The datanode's door into SCM. In one process a direct call; between processes the same over RPC. */
export interface ScmDatanodeProtocol {
  register(request: RegisterRequest): Promise<{ readonly commands: readonly DatanodeCommand[] }>
  heartbeat(heartbeat: Heartbeat): Promise<{ readonly commands: readonly DatanodeCommand[] }>
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

/** One replica of a container. */
export interface ReplicaLocation {
  readonly datanode: DatanodeId
  /** As its datanode last registered it; undefined: it is called in its process. It may have moved since. */
  readonly address: string | undefined
}

/** Where the readers and writers of blocks find replicas. */
export interface ScmLocationProtocol {
  /** In the order in which a reader should try. `ContainerNotFound`. */
  locate(container: ContainerId): Promise<readonly ReplicaLocation[]>
}

export interface ScmAdminProtocol {
  listNodes(): Promise<readonly DatanodeInfo[]>
  listContainers(options: { readonly after?: ContainerId; readonly limit: number }): Promise<readonly ContainerInfo[]>
  closeContainer(container: ContainerId, options?: RequestOptions): Promise<void>
  summary(): Promise<ScmSummary>
}

export interface ScmSummary {
  readonly containers: Readonly<Record<ContainerState, number>>
  readonly pendingDeletionBlocks: number
  readonly totalBytes: number
  readonly availableBytes: number
}

export interface Scm extends ScmDatanodeProtocol, ScmBlockProtocol, ScmLocationProtocol, ScmAdminProtocol {}
