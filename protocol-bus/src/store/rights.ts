/**
 * Finds what a decision needs and asks `authorize`. What exists is told only to those who may know: of volumes, nobody
 * without rights learns whether they exist; of buckets, everybody does, as in S3.
 */

import { StoreError } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmClient } from '@o3/om/api'
import type { Bucket, BucketRef, Principal, Volume } from '../api/api.ts'
import { authorize, denied } from '../core/authorize.ts'
import type {
  BucketAction,
  BucketTarget,
  ClusterAction,
  Grant,
  UserAction,
  VolumeAction,
  VolumeTarget,
} from '../core/authorize.ts'
import { whenSettled } from './settled.ts'
import type { MaybePromise } from './settled.ts'

export type RightsReader = Pick<OmClient, 'getVolume' | 'getBucket'>

export class Rights {
  private readonly om: RightsReader

  constructor(om: RightsReader) {
    this.om = om
  }

  /** `BucketNotFound`, `AccessDenied`. Synchronous on the hot path: the bucket is cached and its own rights suffice. */
  onBucket<A extends BucketAction>(principal: Principal, action: A, ref: BucketRef): MaybePromise<Grant<A>> {
    return whenSettled(this.om.getBucket(ref), (bucket) => this.judgeBucket(principal, action, bucket))
  }

  /** `AccessDenied`; administrators also learn `VolumeNotFound`. */
  onVolume<A extends VolumeAction>(principal: Principal, action: A, name: string): MaybePromise<Grant<A>> {
    return whenSettled(this.volumeFor(principal, name), (volume) => {
      // `A` is a volume action, so its target is a volume: the compiler does not resolve the condition for a variable.
      const target: VolumeTarget = { kind: 'volume', volume }
      return granted(authorize<VolumeAction>(principal, action, target)) as Grant<A>
    })
  }

  onCluster<A extends ClusterAction>(principal: Principal, action: A): Grant<A> {
    return granted(authorize<ClusterAction>(principal, action, { kind: 'cluster' })) as Grant<A>
  }

  onUser<A extends UserAction>(principal: Principal, action: A, user: string): Grant<A> {
    return granted(authorize<UserAction>(principal, action, { kind: 'user', user })) as Grant<A>
  }

  /** For lists: whether the caller may see this one. */
  seesBucket(principal: Principal, bucket: Bucket, volume: Volume): boolean {
    return !isRefusal(authorize(principal, 'bucket:read', { kind: 'bucket', bucket, volume }))
  }

  seesVolume(principal: Principal, volume: Volume): boolean {
    return !isRefusal(authorize(principal, 'volume:read', { kind: 'volume', volume }))
  }

  private judgeBucket<A extends BucketAction>(principal: Principal, action: A, bucket: Bucket): MaybePromise<Grant<A>> {
    const alone: BucketTarget = { kind: 'bucket', bucket }
    const outcome = authorize<BucketAction>(principal, action, alone)
    if (!isRefusal(outcome)) return outcome as Grant<A>
    return whenSettled(this.om.getVolume(bucket.volume), (volume) => {
      const within: BucketTarget = { kind: 'bucket', bucket, volume }
      return granted(authorize<BucketAction>(principal, action, within)) as Grant<A>
    })
  }

  private volumeFor(principal: Principal, name: string): MaybePromise<Volume> {
    if (principal.admin) return this.om.getVolume(name)
    try {
      const volume = this.om.getVolume(name)
      return volume instanceof Promise ? volume.catch(hideAbsence) : volume
    } catch (error) {
      return hideAbsence(error)
    }
  }
}

function hideAbsence(error: unknown): never {
  if (error instanceof StoreError && error.code === 'VolumeNotFound') throw StoreError.fromRecord(denied())
  throw error
}

function granted<G extends object>(outcome: G | Refusal): G {
  if (isRefusal(outcome)) throw StoreError.fromRecord(outcome)
  return outcome
}

function isRefusal(outcome: object): outcome is Refusal {
  return 'kind' in outcome && outcome.kind === 'refusal'
}
