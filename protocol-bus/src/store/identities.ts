/**
 * Who is behind an access key. Every request asks OM's cached rows, so that a disabled key or user, and a changed right,
 * counts from the next request on; only the opened secret is kept, and only as long as the row that it was opened from
 * is the same.
 */

import type { Clock } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { AccessKey, LookupAnswer, OmClient, User } from '@o3/om/api'
import { LRUCache } from 'lru-cache'
import type { Credential, Foreseen, Identities } from '../api/api.ts'
import type { Keyring } from '@o3/common/keyring'
import { RequestRows, isDistant, rowOf } from './request-rows.ts'
import { whenSettled } from './settled.ts'
import type { MaybePromise } from './settled.ts'

export interface IdentitiesOptions {
  readonly om: Pick<OmClient, 'getAccessKey' | 'getUser' | 'lookup'>
  readonly keyring: Keyring
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Opened secrets in memory; the least recently used goes first. Default 10,000. */
  readonly maxOpened?: number
  /** How long an opened secret stays in memory. Default ten minutes. */
  readonly openedMs?: number
}

interface Opened {
  readonly row: AccessKey
  readonly user: User
  readonly credential: Credential
}

type Identity = Pick<LookupAnswer, 'accessKey' | 'user'>

const nothing: Identity = {}

export function createIdentities(options: IdentitiesOptions): Identities {
  return new OmIdentities(options)
}

class OmIdentities implements Identities {
  private readonly om: IdentitiesOptions['om']
  private readonly keyring: Keyring
  private readonly clock: IdentitiesOptions['clock']
  private readonly opened: LRUCache<string, Opened>

  constructor({ om, keyring, clock, maxOpened = 10_000, openedMs = 600_000 }: IdentitiesOptions) {
    this.om = om
    this.keyring = keyring
    this.clock = clock
    // Resolution 0: the cache asks our clock each time, and sets no timer of its own.
    this.opened = new LRUCache({
      max: maxOpened,
      ttl: openedMs,
      ttlResolution: 0,
      perf: { now: () => clock.monotonicMs() },
    })
  }

  lookup(accessKeyId: string, foreseen?: Foreseen): MaybePromise<Credential | undefined> {
    const { om, clock } = this
    if (!isDistant(om)) return this.judge(accessKeyId, nothing)
    // What else the request needs comes with the answer, and waits for its session.
    return RequestRows.lookup(foreseen, accessKeyId, { om, clock }).then((found) => this.judge(accessKeyId, found))
  }

  private judge(accessKeyId: string, found: Identity): MaybePromise<Credential | undefined> {
    return absentIf('AccessKeyNotFound', () =>
      whenSettled(rowOf(found.accessKey) ?? this.om.getAccessKey(accessKeyId), (row) =>
        row.enabled ? this.ofRow(row, found) : undefined,
      ),
    )
  }

  private ofRow(row: AccessKey, found: Identity): MaybePromise<Credential | undefined> {
    return absentIf('UserNotFound', () =>
      whenSettled(rowOf(found.user) ?? this.om.getUser(row.user), (user) =>
        user.enabled ? this.open(row, user) : undefined,
      ),
    )
  }

  private open(row: AccessKey, user: User): Credential {
    const known = this.opened.get(row.id)
    if (known !== undefined && known.row === row && known.user === user) return known.credential
    const secret =
      known !== undefined && isSame(known.row.sealedSecret, row.sealedSecret)
        ? known.credential.secret
        : this.keyring.unseal(row.id, row.sealedSecret)
    const credential: Credential = { accessKeyId: row.id, secret, principal: { user: user.name, admin: user.admin } }
    this.opened.set(row.id, { row, user, credential })
    return credential
  }
}

/** OM may have decoded the row anew: other objects, the same bytes. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || Buffer.compare(a, b) === 0
}

/** A front end must not tell a key that does not exist from one that is disabled. */
function absentIf<T>(
  code: 'AccessKeyNotFound' | 'UserNotFound',
  ask: () => MaybePromise<T | undefined>,
): MaybePromise<T | undefined> {
  const absent = (error: unknown): undefined => {
    if (!isStoreError(error, code)) throw error
  }
  try {
    const answer = ask()
    return answer instanceof Promise ? answer.catch(absent) : answer
  } catch (error) {
    return absent(error)
  }
}
