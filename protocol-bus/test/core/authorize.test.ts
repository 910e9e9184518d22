import { describe, expect, test } from 'vitest'
import type { BucketRight, Principal, VolumeRight } from '../../src/api/api.ts'
import { assertGrant, authorize, everyone } from '../../src/core/authorize.ts'
import type { BucketAction, Grant, VolumeAction } from '../../src/core/authorize.ts'

const admin: Principal = { user: 'root', admin: true }
const alice: Principal = { user: 'alice', admin: false }

const isGranted = (outcome: object): boolean => !('kind' in outcome)

interface Roles {
  readonly ownsVolume?: boolean
  readonly volumeRight?: VolumeRight
  readonly ownsBucket?: boolean
  readonly bucketRight?: BucketRight
}

const volumeOf = ({ ownsVolume, volumeRight }: Roles, member = 'alice') => ({
  name: 'vol',
  owner: ownsVolume === true ? 'alice' : 'somebody',
  members: volumeRight === undefined ? {} : { [member]: volumeRight },
})
const bucketOf = ({ ownsBucket, bucketRight }: Roles, member = 'alice') => ({
  volume: 'vol',
  name: 'buck',
  owner: ownsBucket === true ? 'alice' : 'somebody',
  members: bucketRight === undefined ? {} : { [member]: bucketRight },
  replication: 'RATIS/ONE' as const,
})

const bucketActions: readonly BucketAction[] = [
  'bucket:read',
  'bucket:update',
  'bucket:delete',
  'bucket:list',
  'key:read',
  'key:write',
  'key:delete',
]
const reading = ['bucket:read', 'bucket:list', 'key:read']
const writing = [...reading, 'key:write', 'key:delete']

describe('on a bucket, exactly these actions are allowed to', () => {
  const rows: readonly [string, Roles, readonly string[]][] = [
    ['a stranger', {}, []],
    ['its owner', { ownsBucket: true }, bucketActions],
    ['a member with read', { bucketRight: 'read' }, reading],
    ['a member with write', { bucketRight: 'write' }, writing],
    ['a member with all', { bucketRight: 'all' }, bucketActions],
    ["its volume's owner", { ownsVolume: true }, bucketActions],
    ["its volume's member with read", { volumeRight: 'read' }, reading],
    ["its volume's member with create-bucket", { volumeRight: 'create-bucket' }, []],
    ["its volume's member with all", { volumeRight: 'all' }, bucketActions],
    ['who reads the volume and writes the bucket', { volumeRight: 'read', bucketRight: 'write' }, writing],
  ]
  test.each(rows)('%s', (_, roles, allowed) => {
    const target = { kind: 'bucket', bucket: bucketOf(roles), volume: volumeOf(roles) } as const
    expect(bucketActions.filter((action) => isGranted(authorize(alice, action, target)))).toEqual(
      bucketActions.filter((action) => allowed.includes(action)),
    )
    const withoutVolume = { kind: 'bucket', bucket: bucketOf(roles) } as const
    for (const action of bucketActions) {
      // Leaving the volume out can only take away.
      if (isGranted(authorize(alice, action, withoutVolume))) expect(allowed).toContain(action)
      expect(isGranted(authorize(admin, action, target))).toBe(true)
    }
  })
})

describe('on a volume, exactly these actions are allowed to', () => {
  const actions: readonly VolumeAction[] = ['volume:read', 'volume:update', 'volume:delete', 'bucket:create']
  const rows: readonly [string, Roles, readonly VolumeAction[]][] = [
    ['a stranger', {}, []],
    ['its owner', { ownsVolume: true }, actions],
    ['a member with read', { volumeRight: 'read' }, ['volume:read']],
    ['a member with create-bucket', { volumeRight: 'create-bucket' }, ['volume:read', 'bucket:create']],
    ['a member with all', { volumeRight: 'all' }, ['volume:read', 'volume:update', 'bucket:create']],
  ]
  test.each(rows)('%s', (_, roles, allowed) => {
    const target = { kind: 'volume', volume: volumeOf(roles) } as const
    expect(actions.filter((action) => isGranted(authorize(alice, action, target)))).toEqual(allowed)
    expect(actions.filter((action) => isGranted(authorize(admin, action, target)))).toEqual(actions)
  })
})

test('only administrators create volumes and administer the cluster', () => {
  for (const action of ['volume:create', 'cluster:admin'] as const) {
    expect(isGranted(authorize(alice, action, { kind: 'cluster' }))).toBe(false)
    expect(isGranted(authorize(admin, action, { kind: 'cluster' }))).toBe(true)
  }
})

test.each([
  ['identity:admin', 'alice', false],
  ['identity:admin', 'bob', false],
  ['identity:read', 'alice', true],
  ['identity:read', 'bob', false],
  ['access-key:manage', 'alice', true],
  ['access-key:manage', 'bob', false],
  ['access-key:manage', '', false],
] as const)('alice may %s of %j: %j', (action, user, allowed) => {
  expect(isGranted(authorize(alice, action, { kind: 'user', user }))).toBe(allowed)
  expect(isGranted(authorize(admin, action, { kind: 'user', user }))).toBe(true)
})

test('a right of everyone is everybody’s', () => {
  const roles = { volumeRight: 'create-bucket', bucketRight: 'read' } as const
  const volume = volumeOf(roles, everyone)
  expect(isGranted(authorize(alice, 'bucket:create', { kind: 'volume', volume }))).toBe(true)
  const bucket = bucketOf(roles, everyone)
  expect(isGranted(authorize(alice, 'key:read', { kind: 'bucket', bucket }))).toBe(true)
  expect(isGranted(authorize(alice, 'key:write', { kind: 'bucket', bucket }))).toBe(false)
})

test.each(['constructor', '__proto__', 'toString'])('a user called %s has no rights by inheritance', (user) => {
  const principal = { user, admin: false }
  expect(isGranted(authorize(principal, 'key:read', { kind: 'bucket', bucket: bucketOf({}) }))).toBe(false)
  expect(isGranted(authorize(principal, 'volume:read', { kind: 'volume', volume: volumeOf({}) }))).toBe(false)
})

test('a refusal does not say whether the resource exists, or why', () => {
  const outcome = authorize(alice, 'key:read', { kind: 'bucket', bucket: bucketOf({}) })
  expect(outcome).toEqual({ kind: 'refusal', code: 'AccessDenied', message: 'access denied' })
})

test('a bucket is never judged with the rights of another volume', () => {
  const volume = { name: 'other', owner: 'alice', members: {} }
  expect(() => authorize(alice, 'key:read', { kind: 'bucket', bucket: bucketOf({}), volume })).toThrow(/its own volume/)
})

describe('a grant', () => {
  const grant = authorize(admin, 'key:read', { kind: 'bucket', bucket: bucketOf({}) }) as Grant<'key:read'>

  test('names what it is for', () => {
    expect([grant.action, grant.volume, grant.bucket, grant.user]).toEqual(['key:read', 'vol', 'buck', ''])
    expect(grant.principal).toBe(admin)
  })

  test('cannot be forged, copied, or spent on something else', () => {
    expect(() => assertGrant(grant, 'key:read')).not.toThrow()
    const forged = { action: 'key:read', volume: 'vol', bucket: 'buck', user: '', principal: admin }
    const copies: readonly object[] = [
      forged,
      Object.assign({}, grant),
      Object.create(grant) as object,
      structuredClone(forged),
    ]
    for (const copy of copies) {
      expect(() => assertGrant(copy as Grant<'key:read'>, 'key:read')).toThrow(/nobody issued/)
    }
    expect(() => assertGrant(grant as Grant as Grant<'key:write'>, 'key:write')).toThrow(/spent on/)
    const { constructor } = grant as unknown as { constructor: new (...all: unknown[]) => unknown }
    const target = { kind: 'bucket', bucket: bucketOf({}) }
    expect(() => new constructor(Symbol('issuing'), 'key:write', admin, target)).toThrow(/did not issue/)
  })
})
