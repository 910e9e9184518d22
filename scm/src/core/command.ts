/** Every change of SCM's state. */

import type { SecretKeyRow } from './tables.ts'
import type { BlockRange, ContainerId, ContainerState, DatanodeId, PipelineId, ReplicationConfig } from '../api/api.ts'

export type ScmCommand =
  | { readonly kind: 'register-node'; readonly id: DatanodeId; readonly address: string | undefined }
  | {
      readonly kind: 'create-container'
      readonly replication: ReplicationConfig
      readonly pipeline: PipelineId
      readonly datanodes: readonly DatanodeId[]
    }
  | { readonly kind: 'allocate-blocks'; readonly container: ContainerId; readonly count: number }
  | { readonly kind: 'transition-container'; readonly container: ContainerId; readonly to: ContainerState }
  | { readonly kind: 'delete-blocks'; readonly blocks: readonly BlockRange[] }
  | { readonly kind: 'acknowledge-deletions'; readonly datanode: DatanodeId; readonly transactions: readonly number[] }
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
