/** The Reed-Solomon codes that containers are encoded with. */

import { StoreError } from '@o3/common/errors'
import type { EcPolicy } from '@o3/scm/api'

/** So many data and parity shards, in cells of so many bytes. Any `dataShards` of them give back everything. */
export interface EcShape {
  readonly dataShards: number
  readonly parityShards: number
  readonly cellBytes: number
}

const MiB = 1024 * 1024

const shapes = {
  'rs-3-2-1024k': { dataShards: 3, parityShards: 2, cellBytes: MiB },
  'rs-6-3-1024k': { dataShards: 6, parityShards: 3, cellBytes: MiB },
  'rs-10-4-1024k': { dataShards: 10, parityShards: 4, cellBytes: MiB },
} as const satisfies Record<EcPolicy, EcShape>

/** Their number in this list is persisted: append, never reorder. */
const numbered: readonly EcPolicy[] = ['rs-3-2-1024k', 'rs-6-3-1024k', 'rs-10-4-1024k']

export function shapeOf(policy: EcPolicy): EcShape {
  return shapes[policy]
}

export function shardCount({ dataShards, parityShards }: Pick<EcShape, 'dataShards' | 'parityShards'>): number {
  return dataShards + parityShards
}

export function policyNumber(policy: EcPolicy): number {
  return numbered.indexOf(policy)
}

/** Throws `Incompatible`. */
export function policyOf(number: number): EcPolicy {
  const policy = numbered[number]
  if (policy === undefined) throw new StoreError('Incompatible', `this release knows no erasure code ${number}`)
  return policy
}
