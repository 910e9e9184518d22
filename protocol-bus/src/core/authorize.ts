/**
 * Who may do what. One pure function decides, for every protocol; what it does not allow is denied. Its answer is a
 * `Grant`, which only this module can make and which the store's inner calls demand, so a path that forgot to ask
 * cannot be written: it would have nothing to pass on. A grant names its resource, and inner calls take the names from
 * the grant and not from the request, so one for bucket A cannot be spent on bucket B.
 */

import { assert, refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Action, Bucket, BucketRight, Principal, ReplicationConfig, Volume, VolumeRight } from '../api/api.ts'

/** What the rules read of a volume. */
export type VolumeAccess = Pick<Volume, 'name' | 'owner' | 'members'>
/** What the rules read of a bucket. */
export type BucketAccess = Pick<Bucket, 'volume' | 'name' | 'owner' | 'members' | 'replication'>

export type ClusterAction = 'volume:create' | 'cluster:admin'
export type UserAction = 'identity:admin' | 'identity:read' | 'access-key:manage'
export type VolumeAction = 'volume:read' | 'volume:update' | 'volume:delete' | 'bucket:create'
export type BucketAction = Exclude<Action, ClusterAction | UserAction | VolumeAction>

export interface ClusterTarget {
  readonly kind: 'cluster'
}

export interface UserTarget {
  readonly kind: 'user'
  readonly user: string
}

export interface VolumeTarget {
  readonly kind: 'volume'
  readonly volume: VolumeAccess
}

export interface BucketTarget {
  readonly kind: 'bucket'
  readonly bucket: BucketAccess
  /**
   * The bucket's volume, whose owner and members have rights on the bucket too. Rights only ever add up, so a caller may
   * ask without it first (the hot path: the bucket's own rights mostly suffice) and again with it when refused.
   */
  readonly volume?: VolumeAccess
}

export type TargetOf<A extends Action> = A extends ClusterAction
  ? ClusterTarget
  : A extends UserAction
    ? UserTarget
    : A extends VolumeAction
      ? VolumeTarget
      : BucketTarget

/** The member name that stands for every authenticated user. No user can have it: it is not a valid user name. */
export const everyone = '*'

/** Only this module can say it, so a grant's own `constructor` is of no use elsewhere. */
const issuing = Symbol('issuing')

class IssuedGrant<A extends Action> {
  // Private to this class, so its presence is the brand.
  readonly #principal: Principal
  readonly action: A
  /** Empty when the action is on the cluster or a user. */
  readonly volume: string
  /** Empty when the action is not on a bucket. */
  readonly bucket: string
  /** How what is written into the bucket is replicated; undefined when the action is not on a bucket. */
  readonly replication: ReplicationConfig | undefined
  /** Empty when the action is not on a user. */
  readonly user: string

  constructor(by: symbol, action: A, principal: Principal, target: Target) {
    assert(by === issuing, 'a grant that `authorize` did not issue')
    this.action = action
    this.#principal = principal
    this.volume = target.kind === 'volume' ? target.volume.name : target.kind === 'bucket' ? target.bucket.volume : ''
    this.bucket = target.kind === 'bucket' ? target.bucket.name : ''
    this.replication = target.kind === 'bucket' ? target.bucket.replication : undefined
    this.user = target.kind === 'user' ? target.user : ''
  }

  get principal(): Principal {
    return this.#principal
  }

  static isIssued(value: object): boolean {
    return #principal in value
  }
}

type Target = ClusterTarget | UserTarget | VolumeTarget | BucketTarget

/** Proof that `authorize` said yes to this action on this resource. Cannot be built, copied or cast into being elsewhere. */
export type Grant<A extends Action = Action> = IssuedGrant<A>

/** At the door of an inner call: a grant that `authorize` did not issue, or for another action, is a bug and stops. */
export function assertGrant<A extends Action>(grant: Grant<A>, action: A): void {
  assert(IssuedGrant.isIssued(grant), `a grant for ${action} that nobody issued`)
  assert(grant.action === action, `a grant for ${grant.action} was spent on ${action}`)
}

/** The one decision. `AccessDenied` says nothing about why, nor whether the resource exists. */
export function authorize<A extends Action>(principal: Principal, action: A, target: TargetOf<A>): Grant<A> | Refusal {
  if (principal.admin || allows(principal, action, target)) return new IssuedGrant(issuing, action, principal, target)
  return denied()
}

/** For those who may not even learn that the resource does not exist. */
export function denied(): Refusal {
  return refuse('AccessDenied', 'access denied')
}

function allows(principal: Principal, action: Action, target: Target): boolean {
  switch (target.kind) {
    case 'cluster':
      return false
    case 'user':
      return action !== 'identity:admin' && principal.user === target.user
    case 'volume':
      return target.volume.owner === principal.user || holds(principal, target.volume.members, volumeRights[action])
    case 'bucket':
      return allowsOnBucket(principal, action, target)
  }
}

function allowsOnBucket(principal: Principal, action: Action, { bucket, volume }: BucketTarget): boolean {
  const rights = bucketRights[action]
  if (bucket.owner === principal.user || holds(principal, bucket.members, rights?.onBucket)) return true
  if (volume === undefined) return false
  assert(volume.name === bucket.volume, 'a bucket is judged with its own volume')
  return volume.owner === principal.user || holds(principal, volume.members, rights?.onVolume)
}

/** Which right of a volume's member allows what. The owner may do all of these. */
const volumeRights: Readonly<Partial<Record<Action, readonly VolumeRight[]>>> = {
  'volume:read': ['read', 'create-bucket', 'all'],
  'volume:update': ['all'],
  // Only an administrator could make it again, so only its owner or one of those takes it away.
  'volume:delete': [],
  'bucket:create': ['create-bucket', 'all'],
} satisfies Record<VolumeAction, readonly VolumeRight[]>

interface BucketRule {
  readonly onBucket: readonly BucketRight[]
  readonly onVolume: readonly VolumeRight[]
}

const reading: BucketRule = { onBucket: ['read', 'write', 'all'], onVolume: ['read', 'all'] }
const writing: BucketRule = { onBucket: ['write', 'all'], onVolume: ['all'] }
const owning: BucketRule = { onBucket: ['all'], onVolume: ['all'] }

/** Which right of a bucket's member, or of its volume's, allows what. `create-bucket` opens nobody else's bucket. */
const bucketRights: Readonly<Partial<Record<Action, BucketRule>>> = {
  'bucket:read': reading,
  'bucket:list': reading,
  'key:read': reading,
  'key:write': writing,
  'key:delete': writing,
  'bucket:update': owning,
  'bucket:delete': owning,
} satisfies Record<BucketAction, BucketRule>

function holds<R>(
  principal: Principal,
  members: Readonly<Record<string, R>>,
  enough: readonly R[] | undefined,
): boolean {
  if (enough === undefined) return false
  return memberHolds(members, principal.user, enough) || memberHolds(members, everyone, enough)
}

function memberHolds<R>(members: Readonly<Record<string, R>>, name: string, enough: readonly R[]): boolean {
  // A user may be called `constructor`.
  return Object.hasOwn(members, name) && enough.includes(members[name] as R)
}
