/** Random programs on the native interface: small alphabets, so that operations meet. */

import fc from 'fast-check'
import type { Quota, RangeRequest } from '@o3/protocol-bus/api'

export interface BodySpec {
  readonly size: number
  readonly seed: number
}

export type Caller = 'admin' | 'owner' | 'stranger'

/** ETags that a program can name: of a body, of anything, or of nothing that there is. */
export type EtagSpec = BodySpec | '*' | 'unknown'

export interface ConditionSpec {
  readonly ifMatch?: EtagSpec
  readonly ifNoneMatch?: EtagSpec
}

/** Uploads are named from the last one that the program started backwards: 0, 1 … */
type Action =
  | {
      readonly kind: 'put'
      readonly key: string
      readonly body: BodySpec
      readonly whole: boolean
      readonly conditions: ConditionSpec
      readonly requestId?: string
    }
  | { readonly kind: 'get'; readonly key: string; readonly range?: RangeRequest; readonly conditions: ConditionSpec }
  | { readonly kind: 'delete'; readonly key: string; readonly conditions: ConditionSpec; readonly requestId?: string }
  | { readonly kind: 'delete-many'; readonly keys: readonly string[]; readonly ifMatch?: EtagSpec }
  | {
      readonly kind: 'copy'
      readonly key: string
      readonly to: string
      readonly replace: boolean
      readonly checksum: boolean
      readonly conditions: ConditionSpec
    }
  | { readonly kind: 'rename'; readonly key: string; readonly to: string; readonly replace: boolean }
  | { readonly kind: 'tag'; readonly key: string; readonly tags: Readonly<Record<string, string>> }
  | {
      readonly kind: 'list'
      readonly prefix: string
      readonly delimiter: string
      readonly after: string
      readonly limit: number
    }
  | { readonly kind: 'start-upload'; readonly key: string }
  | { readonly kind: 'put-part'; readonly upload: number; readonly number: number; readonly body: BodySpec }
  | {
      readonly kind: 'copy-part'
      readonly upload: number
      readonly number: number
      readonly key: string
      readonly range?: { readonly start: number; readonly end: number }
    }
  | {
      readonly kind: 'complete'
      readonly upload: number
      /** Undefined: all that there are. */
      readonly numbers?: readonly number[]
      readonly conditions: ConditionSpec
    }
  | { readonly kind: 'abort-upload'; readonly upload: number }
  | { readonly kind: 'list-parts'; readonly upload: number; readonly after: number; readonly limit: number }
  | { readonly kind: 'list-uploads'; readonly prefix: string; readonly delimiter: string; readonly limit: number }
  | { readonly kind: 'create-bucket' }
  | { readonly kind: 'delete-bucket' }
  | { readonly kind: 'quota'; readonly quota: Quota }
  /** Lets leases end and garbage be collected. */
  | { readonly kind: 'wait'; readonly ms: number }

export type Step = Action & { readonly by: Caller; readonly bucket: string }

/** How the machine goes down: after so much virtual time from the start of a step, unless the program is over. */
export interface Death {
  readonly step: number
  readonly afterMs: number
  readonly how: 'crash' | 'kill'
}

export interface Program {
  readonly steps: readonly Step[]
  readonly deaths: readonly Death[]
}

const weighted = <T>(...choices: readonly (readonly [number, T])[]): fc.Arbitrary<T> =>
  fc.oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })))

// Few names are used much, so that steps meet; the others are there for what is odd about them.
const key = weighted(
  ...(['a/b', 'a/b', 'a/b', 'a', 'a', 'b/c', 'b/c', 'a/', 'a/b/c', 'a//', 'a-b', 'a0', 'b', '/', 'ü'] as const).map(
    (name) => [1, name] as const,
  ),
)
/** A key that the program wrote lately, by how many writes ago; `names` before the first. */
interface Recent {
  readonly writesAgo: number
}
const written: fc.Arbitrary<string | Recent> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ writesAgo: fc.nat(2) }) },
  { weight: 1, arbitrary: key },
)
const directory = weighted([4, 'a/'], [4, 'b/'], [2, 'c/d/'], [1, '/'])
const requestId = weighted<string | undefined>([6, undefined], [1, 'r1'], [1, 'r2'])

// Inline, one message, several chunks, several blocks: chunks have 16 KiB and blocks 32 KiB here.
const size = weighted(
  [1, 0],
  [3, 10],
  [1, 4096],
  [1, 4097],
  [3, 10_000],
  [1, 16_384],
  [1, 16_385],
  [2, 40_000],
  [3, 70_000],
)
const body: fc.Arbitrary<BodySpec> = fc.record({ size, seed: fc.integer({ min: 0, max: 1 }) })
const etag: fc.Arbitrary<EtagSpec> = fc.oneof(
  { weight: 3, arbitrary: body },
  { weight: 3, arbitrary: fc.constant('*' as const) },
  { weight: 1, arbitrary: fc.constant('unknown' as const) },
)
const conditions: fc.Arbitrary<ConditionSpec> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.record({ ifMatch: etag }) },
  { weight: 1, arbitrary: fc.record({ ifNoneMatch: etag }) },
)
const offset = fc.constantFrom(0, 1, 9, 4096, 16_000, 33_000, 69_999)
const range: fc.Arbitrary<RangeRequest | undefined> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('from-to' as const), start: offset, end: offset }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('suffix' as const), length: offset }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('part' as const), number: fc.integer({ min: 1, max: 3 }) }) },
)
const upload = fc.nat(1)
const partNumber = fc.integer({ min: 1, max: 3 })
const prefix = fc.constantFrom('', '', 'a', 'a/', 'b/')
const delimiter = fc.constantFrom('', '/', '/', 'b')
const limit = fc.constantFrom(0, 1, 2, 3, 1000, 1000)

const of = <K extends Action['kind'], T>(
  kind: K,
  weight: number,
  fields: { [F in keyof T]: fc.Arbitrary<T[F]> },
): { weight: number; arbitrary: fc.Arbitrary<Action> } => ({
  weight,
  // Undefined fields stay out: that is what an option that was not given looks like.
  arbitrary: fc.record(fields).map((values) => {
    const given = Object.entries(values as object).filter(([, value]) => value !== undefined)
    return { kind, ...Object.fromEntries(given) } as Action
  }),
})

const action: fc.Arbitrary<Action> = fc.oneof(
  of('put', 24, { key, body, whole: fc.boolean(), conditions, requestId }),
  of('get', 14, { key: written, range, conditions }),
  of('delete', 4, { key: written, conditions, requestId }),
  of('delete-many', 1, {
    keys: fc.array(key, { maxLength: 3 }),
    ifMatch: fc.option(etag, { nil: undefined, freq: 2 }),
  }),
  of('copy', 9, { key: written, to: key, replace: fc.boolean(), checksum: fc.boolean(), conditions }),
  of('rename', 4, { key: written, to: key, replace: fc.boolean() }),
  of('rename', 4, { key: directory, to: directory, replace: fc.boolean() }),
  of('tag', 1, { key: written, tags: fc.constantFrom({}, { t: '1' }, { t: '2', u: '' }) }),
  of('list', 5, { prefix, delimiter, after: fc.constantFrom('', '', 'a', 'a/', 'a/b', 'a0'), limit }),
  of('start-upload', 3, { key }),
  of('put-part', 18, { upload, number: partNumber, body }),
  of('copy-part', 6, {
    upload,
    number: partNumber,
    key: written,
    range: fc.option(fc.record({ start: offset, end: offset }), { nil: undefined, freq: 2 }),
  }),
  of('complete', 9, {
    upload,
    numbers: fc.option(fc.uniqueArray(partNumber, { maxLength: 3 }).map(mostlySorted), { nil: undefined, freq: 1 }),
    conditions,
  }),
  of('abort-upload', 1, { upload }),
  of('list-parts', 1, { upload, after: fc.nat(2), limit }),
  of('list-uploads', 2, { prefix, delimiter, limit }),
  of('create-bucket', 1, {}),
  of('delete-bucket', 1, {}),
  of('quota', 2, { quota: fc.constantFrom<Quota>({}, {}, { bytes: 50_000 }, { keys: 2 }) }),
  of('wait', 3, { ms: fc.constantFrom(10, 1000, 20_000) }),
)

function mostlySorted(numbers: number[]): number[] {
  // One order in six stays as it was drawn.
  return numbers.length === 3 && numbers[0] === 3 ? numbers : numbers.toSorted((a, b) => a - b)
}

const step: fc.Arbitrary<Step> = fc
  .tuple(action, weighted<Caller>([6, 'admin'], [12, 'owner'], [1, 'stranger']), weighted([9, 'one'], [1, 'two']))
  .map(([what, by, bucket]) => ({ ...what, by, bucket }))

const mostSteps = 24

const death: fc.Arbitrary<Death> = fc.record({
  step: fc.nat(mostSteps - 1),
  afterMs: fc.nat(12),
  how: fc.constantFrom('crash' as const, 'crash' as const, 'kill' as const),
})

/** Something to work on: most steps are about what is there. */
const opening: fc.Arbitrary<Step> = fc
  .oneof(of('put', 2, { key, body, whole: fc.boolean(), conditions: fc.constant({}) }), of('start-upload', 1, { key }))
  .map((what) => ({ ...what, by: 'owner', bucket: 'one' }))

export const program: fc.Arbitrary<Program> = fc.record({
  steps: fc
    .tuple(
      fc.array(opening, { minLength: 2, maxLength: 5, size: 'max' }),
      fc.array(step, { minLength: 6, maxLength: mostSteps - 5, size: 'max' }),
    )
    .map(([openings, steps]) => named([...openings, ...steps])),
  deaths: fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: fc.array(death, { minLength: 1, maxLength: 2 }) },
  ),
})

/** Puts names in the place of what was said as "so many writes ago". */
function named(steps: readonly Step[]): readonly Step[] {
  const writes: string[] = []
  return steps.map((raw) => {
    const at = 'key' in raw ? (raw.key as string | Recent) : ''
    const key = typeof at === 'string' ? at : (writes.at(-1 - at.writesAgo) ?? writes.at(-1) ?? 'a')
    const taken = 'key' in raw ? ({ ...raw, key } as Step) : raw
    if (taken.kind === 'put') writes.push(taken.key)
    if (taken.kind === 'copy' || taken.kind === 'rename') writes.push(taken.to)
    return taken
  })
}
