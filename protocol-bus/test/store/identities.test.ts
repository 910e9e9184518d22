import { randomBytes } from 'node:crypto'
import { StoreError } from '@o3/common/errors'
import type { AccessKey, User } from '@o3/om/api'
import { beforeEach, expect, test } from 'vitest'
import type { Identities } from '../../src/api/api.ts'
import { createIdentities } from '../../src/store/identities.ts'
import { createKeyring } from '@o3/common/keyring'
import type { Keyring } from '@o3/common/keyring'

const sealing = createKeyring({ current: new Uint8Array(32) }, { bytes: (length) => randomBytes(length) })

/** OM's rows, as its cache hands them out: the same object until a row changes. */
class Rows {
  readonly keys = new Map<string, AccessKey>()
  readonly users = new Map<string, User>()
  cold = false

  getAccessKey(id: string): AccessKey | Promise<AccessKey> {
    return this.answer(this.keys.get(id), 'AccessKeyNotFound')
  }

  getUser(name: string): User | Promise<User> {
    return this.answer(this.users.get(name), 'UserNotFound')
  }

  private answer<T>(row: T | undefined, code: 'AccessKeyNotFound' | 'UserNotFound'): T | Promise<T> {
    const missing = new StoreError(code, 'no')
    if (this.cold) return row === undefined ? Promise.reject(missing) : Promise.resolve(row)
    if (row === undefined) throw missing
    return row
  }
}

let rows: Rows
let nowMs: number
let opened: number
let identities: Identities

beforeEach(() => {
  rows = new Rows()
  nowMs = 5
  opened = 0
  rows.users.set('alice', { name: 'alice', admin: false, enabled: true, createdMs: 0 })
  rows.keys.set('K1', {
    id: 'K1',
    user: 'alice',
    sealedSecret: sealing.seal('K1', 'secret'),
    enabled: true,
    createdMs: 0,
  })
  const keyring: Keyring = {
    ...sealing,
    unseal(id, sealed) {
      opened++
      return sealing.unseal(id, sealed)
    },
  }
  const clock = { monotonicMs: () => nowMs }
  identities = createIdentities({ om: rows, keyring, clock, maxOpened: 2, openedMs: 1000 })
})

/** Opens what must be opened. */
const ask = (id: string): void => void identities.lookup(id)

const found = { accessKeyId: 'K1', secret: 'secret', principal: { user: 'alice', admin: false } }

test('a cached key is answered at once, and opened once', () => {
  const first = identities.lookup('K1')
  expect(first).toEqual(found)
  for (let i = 0; i < 10; i++) expect(identities.lookup('K1')).toBe(first)
  expect(opened).toBe(1)
})

test('a cold one is answered by a promise', async () => {
  rows.cold = true
  const answer = identities.lookup('K1')
  expect(answer).toBeInstanceOf(Promise)
  expect(await answer).toEqual(found)
  expect(await identities.lookup('K2')).toBeUndefined()
})

test('a row that OM has read anew is not opened anew', () => {
  ask('K1')
  const row = rows.keys.get('K1')!
  rows.keys.set('K1', { ...row, sealedSecret: new Uint8Array(row.sealedSecret) })
  expect(identities.lookup('K1')).toEqual(found)
  expect(opened).toBe(1)
})

test('what is disabled, deleted or changed counts at once', () => {
  ask('K1')
  const row = rows.keys.get('K1')!
  const user = rows.users.get('alice')!
  rows.keys.set('K1', { ...row, enabled: false })
  expect(identities.lookup('K1')).toBeUndefined()
  rows.keys.set('K1', row)
  rows.users.set('alice', { ...user, enabled: false })
  expect(identities.lookup('K1')).toBeUndefined()
  rows.users.set('alice', { ...user, admin: true })
  expect(identities.lookup('K1')).toMatchObject({ principal: { admin: true } })
  rows.users.delete('alice')
  expect(identities.lookup('K1')).toBeUndefined()
  rows.users.set('alice', user)
  rows.keys.set('K1', { ...row, sealedSecret: sealing.seal('K1', 'another') })
  expect(identities.lookup('K1')).toMatchObject({ secret: 'another' })
  rows.keys.delete('K1')
  expect(identities.lookup('K1')).toBeUndefined()
})

test('opened secrets are kept for a time, and only so many', () => {
  for (const id of ['K2', 'K3']) {
    rows.keys.set(id, { ...rows.keys.get('K1')!, id, sealedSecret: sealing.seal(id, id) })
  }
  ask('K1')
  nowMs = 1006
  ask('K1')
  expect(opened).toBe(2)
  for (const id of ['K2', 'K3', 'K1']) ask(id)
  expect(opened).toBe(5)
})

test('a failure of OM is not taken for a key that is not there', () => {
  rows.getUser = () => {
    throw new StoreError('Unavailable', 'no leader')
  }
  expect(() => identities.lookup('K1')).toThrow('no leader')
})
