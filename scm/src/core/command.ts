/** Every change of SCM's state. */

import type {
  BlockRange,
  ContainerId,
  ContainerState,
  DatanodeId,
  EcPolicy,
  NodeOperationalState,
  PipelineId,
  ReplicationConfig,
} from '../api/api.ts'
import type { LeftOut, PipelineKind, SecretKeyRow } from './tables.ts'

/** Where a container's replicas are, and where they are being made. */
export interface Replicas {
  readonly datanodes: readonly DatanodeId[]
  readonly incoming: readonly DatanodeId[]
}

export type ScmCommand =
  | {
      readonly kind: 'register-node'
      readonly id: DatanodeId
      readonly address: string | undefined
      /** Absent: it stays what it is, at first `/default`. */
      readonly rack?: string | undefined
    }
  | {
      readonly kind: 'set-operational'
      readonly datanode: DatanodeId
      readonly to: NodeOperationalState
      readonly untilMs: number | undefined
    }
  | { readonly kind: 'create-pipeline'; readonly replicas: PipelineKind; readonly members: readonly DatanodeId[] }
  /** `GONE` drops the row. */
  | { readonly kind: 'transition-pipeline'; readonly pipeline: PipelineId; readonly to: 'OPEN' | 'CLOSED' | 'GONE' }
  | {
      readonly kind: 'create-container'
      readonly replication: ReplicationConfig
      /** Undefined for `RATIS/ONE`. */
      readonly pipeline: PipelineId | undefined
      readonly datanodes: readonly DatanodeId[]
    }
  | { readonly kind: 'allocate-blocks'; readonly container: ContainerId; readonly count: number }
  | { readonly kind: 'transition-container'; readonly container: ContainerId; readonly to: ContainerState }
  /** Refused with `ConcurrentChange` when they are not `was` any more. */
  | {
      readonly kind: 'set-replicas'
      readonly container: ContainerId
      readonly was: Replicas
      readonly becomes: Replicas
    }
  /**
   * Makes rows for the shards of a closed container, one at each of `targets`; its replicas, or older shards, go on being read. One
   * that is encoded already is encoded to leave something out.
   */
  | {
      readonly kind: 'begin-encoding'
      readonly container: ContainerId
      readonly policy: EcPolicy
      readonly targets: readonly DatanodeId[]
      readonly leaveOut?: LeftOut | undefined
    }
  /** When all shards are closed: from now on they are read. `blocks`: in them, where that is known. */
  | { readonly kind: 'finish-encoding'; readonly container: ContainerId; readonly blocks: number | undefined }
  /** The shards go, and the replicas stay. */
  | { readonly kind: 'abandon-encoding'; readonly container: ContainerId }
  | { readonly kind: 'delete-blocks'; readonly blocks: readonly BlockRange[] }
  | { readonly kind: 'acknowledge-deletions'; readonly datanode: DatanodeId; readonly transactions: readonly number[] }
  /** Ends those that wait for nobody, for replicas have gone, or their container was encoded meanwhile. */
  | { readonly kind: 'settle-deletions'; readonly transactions: readonly number[] }
  /** Records of an encoded container, as far as their blocks are in no shard any more, or it is going itself. */
  | { readonly kind: 'drop-records'; readonly container: ContainerId; readonly transactions: readonly number[] }
  /** The next key, sealed, and those that have expired. */
  | {
      readonly kind: 'add-secret-key'
      readonly id: number
      readonly key: SecretKeyRow
      readonly drop: readonly number[]
    }

export type ScmReply =
  | { readonly kind: 'done' }
  | { readonly kind: 'container'; readonly container: ContainerId }
  | { readonly kind: 'blocks'; readonly range: BlockRange }
  | { readonly kind: 'pipeline'; readonly pipeline: PipelineId }
  | { readonly kind: 'shards'; readonly shards: readonly ContainerId[] }
