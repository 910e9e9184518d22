/** The secret keys, sealed in SCM's rows, and handed out open. */

import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { Keyring } from '@o3/common/keyring'
import type { Logger } from '@o3/common/log'
import type { ExecuteOptions, ReplicatedStore } from '@o3/ratis/api'
import type { Leadership } from '@o3/ratis/leadership'
import type { SecretKey, SecretKeys } from '../api/api.ts'
import type { ScmConfig } from '../config.ts'
import type { ScmCommand, ScmReply } from '../core/command.ts'
import { dueKey, earlyKey, expiredKeys, refreshMsOf } from '../core/secret-key.ts'
import type { KeyTimes } from '../core/secret-key.ts'
import { secretKeys } from '../core/tables.ts'
import type { SecretKeyRow } from '../core/tables.ts'

export interface SecretKeeperParts {
  readonly env: Pick<Env, 'clock' | 'random'>
  readonly store: ReplicatedStore<ScmCommand, ScmReply>
  readonly leadership: Leadership
  readonly config: ScmConfig
  readonly log: Logger
  /** Undefined: this member can neither open keys nor make them. */
  readonly sealing: Keyring | undefined
}

interface StoredKey extends KeyTimes {
  readonly sealed: Uint8Array
}

/** Rotations by an administrator that no one has needed yet: beyond it somebody is wrong. */
const maxKeys = 64
const secretBytes = 32

/**
 * There is no timer: keys change when somebody asks for them, and whoever uses them asks all the time. So a cluster in which
 * nobody does has old keys, which nobody sees.
 */
export class SecretKeeper {
  private readonly parts: SecretKeeperParts
  /** Opened once for as long as its row stands. */
  private opened = new Map<number, SecretKey>()
  private making: Promise<number> | undefined

  constructor(parts: SecretKeeperParts) {
    this.parts = parts
  }

  /** `NotLeader`, `Unavailable`, `Damaged` when the cluster's sealing key is another than theirs. */
  async keys(): Promise<SecretKeys> {
    this.parts.leadership.expectTerm()
    const sealing = this.sealing()
    let rows = await this.rows()
    const due = dueKey(rows, this.nowMs(), this.parts.config)
    if (due !== undefined) {
      await this.make(due, rows)
      rows = await this.rows()
    }
    const expired = new Set(expiredKeys(rows, this.nowMs()))
    const keys = rows.filter((row) => !expired.has(row)).map((row) => this.open(row, sealing))
    this.opened = new Map(keys.map((key) => [key.id, key]))
    return { keys, refreshMs: refreshMsOf(this.parts.config) }
  }

  /** `NotLeader`, `Unavailable`, `TooManyEntries`. The repetition of a request makes another key, which does no harm. */
  async rotate(options: ExecuteOptions = {}): Promise<number> {
    this.parts.leadership.expectTerm(options.term)
    const rows = await this.rows()
    if (rows.length >= maxKeys) throw new StoreError('TooManyEntries', `there are ${rows.length} secret keys already`)
    return this.make(earlyKey(rows, this.nowMs(), this.parts.config), rows)
  }

  /** Who comes while one is made gets that one: its lead is the same. */
  private make(times: KeyTimes, rows: readonly StoredKey[]): Promise<number> {
    this.making ??= this.makeNow(times, rows).finally(() => {
      this.making = undefined
    })
    return this.making
  }

  private async makeNow({ id, activeFromMs, expiresMs }: KeyTimes, rows: readonly StoredKey[]): Promise<number> {
    const { env, store, log } = this.parts
    const secret = Buffer.from(env.random.bytes(secretBytes)).toString('base64')
    const key: SecretKeyRow = { sealed: this.sealing().seal(nameOf(id), secret), activeFromMs, expiresMs }
    const drop = expiredKeys(rows, this.nowMs()).map((row) => row.id)
    try {
      await store.execute({ kind: 'add-secret-key', id, key, drop })
      log.info({ key: id, activeFromMs, expiresMs }, 'made a secret key')
    } catch (error) {
      // Another leader, or this one before its answer was lost, has made that key: it is as good.
      if (!isStoreError(error, 'ConcurrentChange')) throw error
    }
    return id
  }

  private open(row: StoredKey, sealing: Keyring): SecretKey {
    const { id, activeFromMs, expiresMs, sealed } = row
    const known = this.opened.get(id)
    if (known !== undefined) return known
    const secret = new Uint8Array(Buffer.from(sealing.unseal(nameOf(id), sealed), 'base64'))
    return { id, secret, activeFromMs, expiresMs }
  }

  private rows(): Promise<readonly StoredKey[]> {
    return this.parts.store.read(async (view) => {
      const cursor = view.cursor(secretKeys, { from: '' })
      try {
        const found = await cursor.next(2 * maxKeys)
        return found.map(({ key: id, value }) => ({ id, ...value }))
      } finally {
        await cursor.close()
      }
    })
  }

  private sealing(): Keyring {
    const { sealing } = this.parts
    if (sealing !== undefined) return sealing
    throw new StoreError('Unavailable', 'this member of SCM was started without the sealing key of the cluster')
  }

  private nowMs(): number {
    return this.parts.env.clock.wallMs()
  }
}

function nameOf(id: number): string {
  return `scm secret key ${id}`
}
