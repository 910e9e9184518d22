/**
 * The native interface in memory, as simple as it can be: maps, linear scans, whole objects. It is the specification:
 * what it answers is right, and the real store is compared with it under random programs. It shares with the real store
 * only pure tables of cases that have tests of their own (`core/`: authorisation, conditions, ranges); how keys are kept,
 * found, listed and counted is written a second time here, on purpose.
 *
 * Front ends use it in their tests. It refuses what the real one refuses, but never for want of disk or peers.
 */

import type { Clock, Random } from '@o3/common/env'
import type { Admin, Identities, O3Session, O3Store, Principal, VolumeRight } from '../api/api.ts'
import { everyone } from '../core/authorize.ts'
import { snapshots, treeOf } from '../store/later-releases.ts'
import { referenceBuckets } from './reference/buckets.ts'
import { permit } from './reference/context.ts'
import type { ReferenceContext } from './reference/context.ts'
import { referenceIdentities, referenceIdentityAdmin } from './reference/identities.ts'
import { referenceKeys } from './reference/keys.ts'
import { noQuota } from './reference/records.ts'
import { referenceUploads } from './reference/uploads.ts'
import { referenceVolumes } from './reference/volumes.ts'

export interface ReferenceUser {
  readonly user: string
  readonly admin?: boolean
  readonly accessKeyId: string
  readonly secret: string
}

export interface ReferenceVolume {
  readonly volume: string
  readonly owner?: string
  readonly members?: Readonly<Record<string, VolumeRight>>
}

export interface ReferenceStoreOptions {
  readonly clock: Pick<Clock, 'wallMs'>
  readonly random: Pick<Random, 'bytes'>
  /** Default: an administrator `admin` whose access key is `admin-key` with the secret `admin-secret`. */
  readonly users?: readonly ReferenceUser[]
  /** Default: `s3v`, in which everyone may create buckets. Owned by the first user where no other is named. */
  readonly volumes?: readonly ReferenceVolume[]
}

export interface ReferenceStore {
  readonly store: O3Store
  readonly identities: Identities
}

const defaultUsers: readonly ReferenceUser[] = [
  { user: 'admin', admin: true, accessKeyId: 'admin-key', secret: 'admin-secret' },
]
const defaultVolumes: readonly ReferenceVolume[] = [{ volume: 's3v', members: { [everyone]: 'create-bucket' } }]

/** A new, empty store with these users and volumes. */
export function referenceStore(options: ReferenceStoreOptions): ReferenceStore {
  let last = 0
  const context: ReferenceContext = {
    records: { volumes: new Map(), users: new Map(), accessKeys: new Map() },
    clock: options.clock,
    random: options.random,
    sequence: () => ++last,
    answered: new Map(),
  }
  const users = options.users ?? defaultUsers
  for (const user of users) addUser(context, user)
  for (const volume of options.volumes ?? defaultVolumes) addVolume(context, volume, users[0]?.user ?? 'admin')
  return {
    store: { session: (principal) => session(context, principal) },
    identities: referenceIdentities(context),
  }
}

function session(context: ReferenceContext, principal: Principal): O3Session {
  const keys = referenceKeys(context, principal)
  return {
    principal,
    volumes: referenceVolumes(context, principal),
    buckets: referenceBuckets(context, principal),
    keys,
    uploads: referenceUploads(context, principal),
    tree: treeOf(keys),
    snapshots,
    identities: referenceIdentityAdmin(context, principal),
    admin: referenceAdmin(principal),
  }
}

/** There is no cluster under it: nothing to show, to administrators only. */
function referenceAdmin(principal: Principal): Admin {
  const allowed = (): void => permit(principal, 'cluster:admin', { kind: 'cluster' })
  return {
    async summary() {
      allowed()
      const containers = { OPEN: 0, CLOSING: 0, QUASI_CLOSED: 0, CLOSED: 0, DELETING: 0, DELETED: 0 }
      return { containers, pendingDeletionBlocks: 0, totalBytes: 0, availableBytes: 0 }
    },
    async nodes() {
      allowed()
      return []
    },
    async containers() {
      allowed()
      return []
    },
    async audit() {
      allowed()
      return []
    },
  }
}

function addUser({ records, clock }: ReferenceContext, given: ReferenceUser): void {
  const createdMs = clock.wallMs()
  records.users.set(given.user, { name: given.user, admin: given.admin ?? false, enabled: true, createdMs })
  const info = { id: given.accessKeyId, user: given.user, enabled: true, createdMs }
  records.accessKeys.set(given.accessKeyId, { info, secret: given.secret })
}

function addVolume({ records, clock }: ReferenceContext, given: ReferenceVolume, owner: string): void {
  const nowMs = clock.wallMs()
  const row = {
    name: given.volume,
    owner: given.owner ?? owner,
    createdMs: nowMs,
    modifiedMs: nowMs,
    quota: noQuota,
    members: given.members ?? {},
    metadata: {},
  }
  records.volumes.set(given.volume, { row, buckets: new Map() })
}
