/** Random commands that mean something: they name keys, uploads, leases and versions that are there, and some that are not. */

import fc from 'fast-check'
import type { Extent, KeyRef, NewContent, OmCommand, Preconditions, Quota } from '../../src/api/api.ts'
import type { ModelOm } from './model-om.ts'
import { proven } from '../fixtures/keys.ts'

/** Resolved against the state that the program has reached; undefined when there is nothing to do it to. */
export type Step = (state: ProgramState) => OmCommand | undefined

export interface ProgramState {
  readonly model: ModelOm
  readonly uploads: readonly (KeyRef & { readonly upload: string })[]
  readonly leases: readonly { readonly id: number; readonly container: number; readonly count: number }[]
  readonly nextContainer: () => number
}

const keyNames = [
  'a',
  'a/',
  'a/b',
  'a/b/',
  'a/b/c',
  'a/b/c/',
  'a/b/c/d',
  'a//',
  'a//b',
  'b',
  'b/',
  'b/x',
  'b/x/y',
  'c/',
  '/',
  '/x',
  'é/',
  'é/\u{1f600}',
  `${'d/'.repeat(12)}end`,
  'e'.repeat(1020) + '/a',
]
const wrongNames = ['', 'x'.repeat(1025), '\ud800', `${'é'.repeat(513)}`]

const key = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom(...keyNames) },
  { weight: 1, arbitrary: fc.constantFrom(...wrongNames) },
)
const ref = fc.oneof(
  { weight: 12, arbitrary: fc.constant({ volume: 'vol', bucket: 'one' }) },
  { weight: 4, arbitrary: fc.constant({ volume: 'vol', bucket: 'two' }) },
  { weight: 1, arbitrary: fc.constant({ volume: 'other', bucket: 'one' }) },
)
const keyRef = fc.tuple(ref, key).map(([bucket, name]): KeyRef => ({ ...bucket, key: name }))
const pick = fc.nat({ max: 11 })
const etag = fc.constantFrom('e1', 'e2', 'e3')

const preconditions: fc.Arbitrary<Preconditions> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.constant({ ifMatch: '*' as const }) },
  { weight: 1, arbitrary: fc.constant({ ifNoneMatch: '*' as const }) },
  { weight: 1, arbitrary: etag.map((one) => ({ ifMatch: [one] })) },
  { weight: 1, arbitrary: etag.map((one) => ({ ifNoneMatch: [one, 'e3'] })) },
)

const quota: fc.Arbitrary<Quota> = fc.oneof(
  fc.constant({}),
  fc.record({ bytes: fc.nat({ max: 20 }) }),
  fc.record({ keys: fc.nat({ max: 6 }) }),
)

type Sized = { readonly content: NewContent; readonly size: number }
type SizedStep = (state: ProgramState) => Sized | undefined

const inline: fc.Arbitrary<SizedStep> = fc.array(fc.nat({ max: 9 }), { maxLength: 6 }).map((bytes) => () => ({
  content: { kind: 'inline', bytes: new Uint8Array(bytes) },
  size: bytes.length,
}))

const extents = fc.array(fc.tuple(fc.nat({ max: 5 }), fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 3 })

function leasedExtents(container: number, chosen: readonly (readonly [number, number])[]): Extent[] {
  return chosen.map(([local, length]) => proven({ block: { container, local: local + 1 }, length }))
}

const lengthOf = (all: readonly Extent[]): number => all.reduce((sum, { length }) => sum + length, 0)

const leased: fc.Arbitrary<SizedStep> = fc.tuple(pick, extents).map(([which, chosen]) => ({ leases }) => {
  const lease = leases[which % Math.max(leases.length, 1)]
  if (lease === undefined) return undefined
  const all = leasedExtents(lease.container, chosen)
  return { content: { kind: 'leased', lease: lease.id, extents: all }, size: lengthOf(all) }
})

const leasedMany: fc.Arbitrary<SizedStep> = fc
  .array(fc.tuple(pick, extents), { minLength: 1, maxLength: 3 })
  .map((chosen) => ({ leases }) => {
    if (leases.length === 0) return undefined
    const pieces = chosen.map(([which, some]) => {
      const { id, container } = leases[which % leases.length]!
      return { lease: id, extents: leasedExtents(container, some) }
    })
    return { content: { kind: 'leased-many', pieces }, size: lengthOf(pieces.flatMap((piece) => piece.extents)) }
  })

const range = fc.option(fc.tuple(fc.nat({ max: 8 }), fc.nat({ max: 8 })), { nil: undefined })

const copy: fc.Arbitrary<SizedStep> = fc
  .tuple(keyRef, range, fc.nat({ max: 20 }))
  .map(([source, part, stale]) => ({ model }) => {
    const found = model.volumes.get(source.volume)?.buckets.get(source.bucket)?.keys.get(source.key)
    const size = part?.[1] ?? found?.bytes.length ?? 0
    const sourceUpdateId = stale === 0 || found === undefined ? 999_999 : found.updateId
    const cut = part === undefined ? {} : { range: { offset: part[0], length: part[1] } }
    return { content: { kind: 'copy', source, sourceUpdateId, ...cut }, size }
  })

const content: fc.Arbitrary<SizedStep> = fc.oneof(
  { weight: 4, arbitrary: inline },
  { weight: 4, arbitrary: leased },
  { weight: 1, arbitrary: leasedMany },
  { weight: 5, arbitrary: copy },
)

const put = fc.tuple(keyRef, etag, content, preconditions).map(([at, tag, sized, conditions]): Step => (state) => {
  const given = sized(state)
  return (
    given && {
      kind: 'commit-key',
      ...at,
      owner: 'ann',
      ...given,
      attributes: attributes(tag),
      preconditions: conditions,
    }
  )
})

const attributes = (tag: string) => ({ etag: tag, headers: {}, metadata: { m: tag }, tags: {} })

const del = fc.tuple(keyRef, preconditions).map(([at, conditions]): Step => () => ({
  kind: 'delete-key',
  ...at,
  preconditions: conditions,
}))

const deleteMany = fc
  .tuple(ref, fc.array(fc.tuple(key, fc.option(etag, { nil: undefined })), { maxLength: 6 }))
  .map(([at, some]): Step => () => ({
    kind: 'delete-keys',
    ...at,
    keys: some.map(([name, ifMatch]) => (ifMatch === undefined ? { key: name } : { key: name, ifMatch })),
  }))

const tag = keyRef.map((at): Step => () => ({ kind: 'set-key-tags', ...at, tags: { t: '1' } }))

const rename = fc.tuple(keyRef, key, fc.boolean()).map(([at, to, replace]): Step => () => ({
  kind: 'rename-key',
  ...at,
  to,
  replace,
}))

const createUpload = keyRef.map((at): Step => () => {
  const { etag: _, ...rest } = attributes('u')
  return { kind: 'create-upload', ...at, owner: 'bob', attributes: rest }
})

const uploadAt = ({ uploads }: ProgramState, which: number) => uploads[which % Math.max(uploads.length, 1)]

const putPart = fc
  .tuple(pick, fc.integer({ min: 1, max: 4 }), etag, content)
  .map(([which, number, tagged, sized]): Step => (state) => {
    const upload = uploadAt(state, which)
    const given = sized(state)
    return upload && given && { kind: 'commit-part', ...upload, number, etag: tagged, ...given }
  })

const complete = fc
  .tuple(pick, fc.integer({ min: 1, max: 15 }), fc.nat({ max: 9 }), fc.nat({ max: 4 }), preconditions)
  .map(([which, mask, spoil, minPartBytes, conditions]): Step => (state) => {
    const upload = uploadAt(state, which)
    if (upload === undefined) return undefined
    const stored = state.model.volumes.get(upload.volume)?.buckets.get(upload.bucket)?.uploads.get(upload.upload)?.parts
    const numbers = [1, 2, 3, 4].filter((number) => (mask & (1 << (number - 1))) !== 0 && (stored?.has(number) ?? true))
    const parts = numbers.map((number) => ({ number, etag: stored?.get(number)?.etag ?? 'e1' }))
    if (spoil === 0) parts.reverse()
    if (spoil === 1) parts.push({ number: 9, etag: 'e1' })
    if (spoil === 2 && parts[0] !== undefined) parts[0] = { ...parts[0], etag: 'spoiled' }
    return {
      kind: 'complete-upload',
      ...upload,
      parts,
      etag: 'md5-n',
      preconditions: conditions,
      minPartBytes: minPartBytes === 4 ? 3 : 0,
    }
  })

const abort = pick.map((which): Step => (state) => {
  const upload = uploadAt(state, which)
  return upload && { kind: 'abort-upload', ...upload }
})

const grant = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom(2, 5, 1000))
  .map(([count, durationMs]): Step => ({ nextContainer }) => ({
    kind: 'grant-lease',
    holder: 'gateway',
    durationMs,
    replication: 'RATIS/ONE',
    ranges: [{ container: nextContainer(), firstLocal: 1, count }],
  }))

const overLease = fc.tuple(pick, fc.boolean()).map(([which, renew]): Step => ({ leases }) => {
  const lease = leases[which % Math.max(leases.length, 1)]?.id
  if (lease === undefined) return undefined
  return renew ? { kind: 'renew-lease', lease, durationMs: 3 } : { kind: 'end-lease', lease }
})

const users = ['ann', 'bob', 'cid']
const user = fc.constantFrom(...users)
const id = fc.constantFrom('AK1', 'AK2', 'AK3')

const identity: fc.Arbitrary<OmCommand> = fc.oneof(
  fc.record({ kind: fc.constant('create-user' as const), user, admin: fc.boolean() }),
  fc.record({ kind: fc.constant('update-user' as const), user, enabled: fc.boolean() }),
  fc.record({ kind: fc.constant('delete-user' as const), user }),
  fc.record({
    kind: fc.constant('create-access-key' as const),
    id,
    user,
    sealedSecret: fc.constant(new Uint8Array([1, 2])),
  }),
  fc.record({ kind: fc.constant('update-access-key' as const), id, enabled: fc.boolean() }),
  fc.record({ kind: fc.constant('delete-access-key' as const), id }),
)

const volume = fc.constantFrom('vol', 'vol', 'other')
const namespace: fc.Arbitrary<OmCommand> = fc.oneof(
  fc.record({ kind: fc.constant('create-volume' as const), volume, owner: user, quota }),
  fc.record({ kind: fc.constant('update-volume' as const), volume, owner: user }),
  fc.record({
    kind: fc.constant('update-volume' as const),
    volume,
    quota: fc.oneof(quota, fc.constant({ buckets: 1 })),
  }),
  fc.record({
    kind: fc.constant('update-volume' as const),
    volume,
    members: fc.constantFrom({ x: 'all' as const }, { x: null }),
  }),
  fc.record({ kind: fc.constant('delete-volume' as const), volume }),
  ref.chain((at) =>
    fc.record({
      kind: fc.constant('update-bucket' as const),
      volume: fc.constant(at.volume),
      bucket: fc.constant(at.bucket),
      quota,
    }),
  ),
  ref.chain((at) =>
    fc.record({
      kind: fc.constant('update-bucket' as const),
      volume: fc.constant(at.volume),
      bucket: fc.constant(at.bucket),
      owner: user,
    }),
  ),
  ref.map((at) => ({ kind: 'delete-bucket' as const, ...at })),
  ref.map((at) => ({
    kind: 'create-bucket' as const,
    ...at,
    owner: 'ann',
    quota: {},
    replication: 'RATIS/ONE' as const,
  })),
)

const fixed = (commands: fc.Arbitrary<OmCommand>): fc.Arbitrary<Step> => commands.map((command) => () => command)

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 14, arbitrary: put },
  { weight: 4, arbitrary: del },
  { weight: 2, arbitrary: deleteMany },
  { weight: 1, arbitrary: tag },
  { weight: 6, arbitrary: rename },
  { weight: 3, arbitrary: createUpload },
  { weight: 6, arbitrary: putPart },
  { weight: 4, arbitrary: complete },
  { weight: 1, arbitrary: abort },
  { weight: 4, arbitrary: grant },
  { weight: 2, arbitrary: overLease },
  { weight: 2, arbitrary: fixed(identity) },
  { weight: 3, arbitrary: fixed(namespace) },
)
