/** What all parts of the reference store share: the records, where time and ids come from, and the way in to each record. */

import type { Clock, Random } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Action, BucketRef, KeyRef, Principal } from '../../api/api.ts'
import { authorize } from '../../core/authorize.ts'
import type { BucketAction, TargetOf, VolumeAction } from '../../core/authorize.ts'
import type { Records, StoredBucket, StoredVolume } from './records.ts'

export interface ReferenceContext {
  readonly records: Records
  readonly clock: Pick<Clock, 'wallMs'>
  readonly random: Pick<Random, 'bytes'>
  /** 1, 2, 3 …: the source of every id. */
  readonly sequence: () => number
  /** What requests with an id were answered. */
  readonly answered: Map<string, unknown>
}

/** Throws a refusal; passes anything else through. */
export function agreed<T extends object>(outcome: T | Refusal): Exclude<T, Refusal> {
  if (isRefusal(outcome)) throw StoreError.fromRecord(outcome)
  return outcome as Exclude<T, Refusal>
}

function isRefusal(outcome: object): outcome is Refusal {
  return 'kind' in outcome && outcome.kind === 'refusal'
}

export function permit<A extends Action>(principal: Principal, action: A, target: TargetOf<A>): void {
  agreed(authorize(principal, action, target))
}

/** Only administrators learn that a volume does not exist: the others are denied, as at one they may not enter. */
export function volumeFor(
  context: ReferenceContext,
  principal: Principal,
  action: VolumeAction,
  name: string,
): StoredVolume {
  const volume = context.records.volumes.get(name)
  if (volume === undefined) {
    if (!principal.admin) throw new StoreError('AccessDenied', 'access denied')
    throw new StoreError('VolumeNotFound', 'no such volume', { details: { volume: name } })
  }
  permit(principal, action, { kind: 'volume', volume: volume.row })
  return volume
}

export interface Place {
  readonly volume: StoredVolume
  readonly bucket: StoredBucket
}

/** Everyone learns that a bucket does not exist: bucket names are not secret in S3. */
export function bucketFor(
  context: ReferenceContext,
  principal: Principal,
  action: BucketAction,
  ref: BucketRef,
): Place {
  const volume = context.records.volumes.get(ref.volume)
  const bucket = volume?.buckets.get(ref.bucket)
  if (volume === undefined || bucket === undefined) {
    throw new StoreError('BucketNotFound', 'no such bucket', { details: { bucket: ref.bucket } })
  }
  permit(principal, action, { kind: 'bucket', bucket: bucket.row, volume: volume.row })
  return { volume, bucket }
}

/**
 * Does the work once per caller, operation, key and request id: a repetition gets the first answer. A refusal is not remembered.
 */
export function once<T>(context: ReferenceContext, asked: AskedOnce, work: () => T): T {
  const { principal, operation, ref, requestId } = asked
  if (requestId === undefined) return work()
  const id = JSON.stringify([principal.user, operation, ref.volume, ref.bucket, ref.key, requestId])
  if (context.answered.has(id)) return context.answered.get(id) as T
  const answer = work()
  context.answered.set(id, answer)
  return answer
}

export interface AskedOnce {
  readonly principal: Principal
  readonly operation: 'put' | 'copy' | 'delete' | 'part'
  readonly ref: KeyRef
  readonly requestId: string | undefined
}
