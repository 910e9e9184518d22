import fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  choice,
  closest,
  configReference,
  defineConfig,
  duration,
  formatDuration,
  formatSize,
  integer,
  loadConfig,
  parseDuration,
  parseSize,
  printConfig,
  secret,
  section,
  size,
  text,
  texts,
  yesNo,
} from '../../src/config/config.ts'
import type { ConfigSources } from '../../src/config/config.ts'
import type { Secret } from '../../src/log/log.ts'

const schema = defineConfig({
  s3: section('The S3 front end.', {
    port: integer({ description: 'Where it listens.', default: 9878, minimum: 0, maximum: 65_535, flag: 'port' }),
    idleTimeoutMs: duration({ description: 'Silence.', default: '15m', minimum: '1s' }),
    maxBodyBytes: size({ description: 'A body.', default: '64MiB', maximum: '5GiB' }),
    host: text({ description: 'The address.', default: '127.0.0.1' }),
  }),
  store: section('Where things lie.', {
    data: text({ description: 'The directory.', default: './o3-data', env: ['O3_DATA'], flag: 'data' }),
    disks: texts({ description: 'More directories.', default: [], flag: 'disk' }),
    layout: choice({ description: 'How.', of: ['packed', 'plain'], default: 'packed', tag: 'hard' }),
    scrub: yesNo({ description: 'Whether to look after the bytes.', default: true }),
    id: text({ description: 'A name.', pattern: /^[a-z]+$/ }),
    secretKey: secret({ description: 'The key.', env: ['O3_ROOT_SECRET_KEY'] }),
  }),
})

const yaml = (content: string): ConfigSources => ({ file: { name: 'o3.yaml', text: content } })

/** The lines of the refusal. */
function problemsOf(sources: ConfigSources): string[] {
  try {
    loadConfig(schema, sources)
  } catch (error) {
    expect(error).toMatchObject({ code: 'InvalidArgument' })
    return (error as Error).message.split('\n')
  }
  return []
}

describe('a value', () => {
  test('is the default when nobody says anything', () => {
    const { values } = loadConfig(schema, {})
    expect(values).toEqual({
      s3: { port: 9878, idleTimeoutMs: 900_000, maxBodyBytes: 64 * 2 ** 20, host: '127.0.0.1' },
      store: { data: './o3-data', disks: [], layout: 'packed', scrub: true, id: undefined, secretKey: undefined },
    })
    expect(Object.isFrozen(values) && Object.isFrozen(values.s3)).toBe(true)
  })

  test('has the type that its setting says', () => {
    const { s3, store } = loadConfig(schema, {}).values
    expectTypeOf(s3.port).toEqualTypeOf<number>()
    expectTypeOf(s3.idleTimeoutMs).toEqualTypeOf<number>()
    expectTypeOf(store.layout).toEqualTypeOf<'packed' | 'plain'>()
    expectTypeOf(store.disks).toEqualTypeOf<readonly string[]>()
    expectTypeOf(store.id).toEqualTypeOf<string | undefined>()
    expectTypeOf(store.secretKey).toEqualTypeOf<Secret | undefined>()
  })

  test.each([
    ['file', yaml('s3: { port: 1 }'), 1, 'file o3.yaml'],
    ['environment', { ...yaml('s3: { port: 1 }'), env: { O3_S3_PORT: '2' } }, 2, 'environment O3_S3_PORT'],
    ['flag', { ...yaml('s3: { port: 1 }'), env: { O3_S3_PORT: '2' }, flags: { port: '3' } }, 3, 'flag --port'],
    ['flag by key', { env: { O3_S3_PORT: '2' }, flags: { 's3.port': 4 } }, 4, 'flag --s3.port'],
    ['empty variable', { env: { O3_S3_PORT: '' } }, 9878, 'default'],
    ['flag not given', { flags: { port: undefined } }, 9878, 'default'],
  ])('comes from the %s before what is weaker, and says so', (_, sources, port, origin) => {
    const config = loadConfig(schema, sources)
    expect(config.values.s3.port).toBe(port)
    expect(printConfig(config)).toContainEqual({ key: 's3.port', value: String(port), origin, tag: 'soft' })
  })

  test('is found under every name of its variable', () => {
    expect(loadConfig(schema, { env: { O3_DATA: '/a' } }).values.store.data).toBe('/a')
    expect(loadConfig(schema, { env: { O3_STORE_DATA: '/b' } }).values.store.data).toBe('/b')
    expect(loadConfig(schema, { env: { O3_S3_IDLE_TIMEOUT_MS: '2s' } }).values.s3.idleTimeoutMs).toBe(2000)
  })

  test.each([
    ['a list in the file', yaml('store: { disks: [a, b] }')],
    ['commas in the environment', { env: { O3_STORE_DISKS: 'a, b' } }],
    ['a repeated flag', { flags: { disk: ['a', 'b'] } }],
  ])('of several texts is %s', (_, sources) => {
    expect(loadConfig(schema, sources).values.store.disks).toEqual(['a', 'b'])
  })

  test('from JSON is as good as from YAML; an empty file says nothing', () => {
    expect(loadConfig(schema, yaml('{"s3": {"port": 7, "maxBodyBytes": 512}}')).values.s3).toMatchObject({
      port: 7,
      maxBodyBytes: 512,
    })
    expect(loadConfig(schema, yaml('# nothing\n')).values.s3.port).toBe(9878)
    expect(loadConfig(schema, yaml('s3:\n')).values.s3.port).toBe(9878)
  })

  test('that is secret is never shown, also when it is wrong', () => {
    const config = loadConfig(schema, { env: { O3_ROOT_SECRET_KEY: 'hunter2' } })
    expect(config.values.store.secretKey?.reveal()).toBe('hunter2')
    expect(JSON.stringify([printConfig(config), config.values])).not.toContain('hunter2')
    expect(problemsOf(yaml('store: { secretKey: 1234 }'))).toEqual([
      'store.secretKey: the value cannot be used (file o3.yaml)',
    ])
  })
})

describe('what cannot be used is refused, with where it was written', () => {
  test.each([
    ['a misspelt key', yaml('s3: { prot: 1 }'), 'there is no setting s3.prot (in o3.yaml); did you mean s3.port?'],
    ['a misspelt section', yaml('stroe: {}'), 'there is no section stroe (in o3.yaml); did you mean store?'],
    ['a key of the prototype', yaml('s3: { toString: 1 }'), 'there is no setting s3.toString (in o3.yaml)'],
    [
      'a misspelt variable',
      { env: { O3_S3_PROT: '1' } },
      'there is no setting O3_S3_PROT (in the environment); did you mean O3_S3_PORT?',
    ],
    ['a misspelt flag', { flags: { prot: 1 } }, 'there is no setting prot (in the flags); did you mean port?'],
    ['a number too large', { env: { O3_S3_PORT: '65536' } }, 's3.port: 65536 is above 65535 (environment O3_S3_PORT)'],
    ['a number that is none', { flags: { port: '1e3' } }, 's3.port: "1e3" is not a whole number (flag --port)'],
    ['a broken number', yaml('s3: { port: 1.5 }'), 's3.port: 1.5 is not a whole number (file o3.yaml)'],
    [
      'a duration without unit',
      yaml('s3: { idleTimeoutMs: 900 }'),
      's3.idleTimeoutMs: 900 is not a duration; write for example 250ms, 30s or 1h30m (file o3.yaml)',
    ],
    ['a duration too short', yaml('s3: { idleTimeoutMs: 10ms }'), 's3.idleTimeoutMs: 10ms is below 1s (file o3.yaml)'],
    ['a size too large', yaml('s3: { maxBodyBytes: 6GiB }'), 's3.maxBodyBytes: 6GiB is above 5GiB (file o3.yaml)'],
    [
      'a choice that is none',
      yaml('store: { layout: loose }'),
      'store.layout: "loose" is none of packed, plain (file o3.yaml)',
    ],
    [
      'a yes that is no true',
      { env: { O3_STORE_SCRUB: 'yes' } },
      'store.scrub: "yes" is neither true nor false (environment O3_STORE_SCRUB)',
    ],
    ['a number for a text', yaml('s3: { host: 127 }'), 's3.host: 127 is not text; put it in quotes (file o3.yaml)'],
    [
      'a text that is not like its pattern',
      yaml('store: { id: A1 }'),
      'store.id: "A1" is not like ^[a-z]+$ (file o3.yaml)',
    ],
    ['a mapping for a value', yaml('s3: { port: { a: 1 } }'), 's3.port: is not a value (file o3.yaml)'],
    ['a value for a section', yaml('s3: 1'), 's3: is a section, with settings inside (file o3.yaml)'],
    ['a list for a file', yaml('- 1'), 'o3.yaml: has no sections'],
    [
      'two variables that differ',
      { env: { O3_DATA: '/a', O3_STORE_DATA: '/b' } },
      'store.data: environment O3_DATA and O3_STORE_DATA differ',
    ],
    ['a file too large', yaml('#'.repeat(2 ** 20 + 1)), 'o3.yaml: larger than 1048576 characters'],
  ])('%s', (_, sources, problem) => {
    expect(problemsOf(sources)).toEqual([problem])
  })

  test.each([
    ['what is not YAML', 's3: [', /^o3.yaml: Flow sequence .* line 1/],
    ['a key twice', 's3: { port: 1, port: 2 }', /^o3.yaml: Map keys must be unique/],
    ['a bomb of aliases', `a: &a [x, x, x]\n${bomb()}`, /^o3.yaml: Excessive alias count/],
  ])('%s', (_, content, problem) => {
    expect(problemsOf(yaml(content))).toEqual([expect.stringMatching(problem)])
  })

  test('all at once', () => {
    expect(
      problemsOf({ ...yaml('s3: { prot: 1, host: 1 }'), env: { O3_NO: '1' }, flags: { port: '-1' } }),
    ).toHaveLength(4)
  })

  test('but not what belongs to somebody else', () => {
    const env = { PATH: '/bin', O3_HOST_prod: 'x' }
    expect(problemsOf({ env, foreignEnv: ['O3_HOST_prod'] })).toEqual([])
  })
})

function bomb(): string {
  return Array.from({ length: 12 }, (_, i) => {
    const name = i === 0 ? 'a' : `b${i - 1}`
    return `b${i}: &b${i} [*${name}, *${name}, *${name}]`
  }).join('\n')
}

describe('a declaration', () => {
  const port = integer({ description: 'x', default: 1, flag: 'port' })

  test.each([
    ['a flag', { a: section('', { x: port }), b: section('', { y: port }) }, '--port stands for both a.x and b.y'],
    [
      'a variable',
      {
        a: section('', { bC: integer({ description: '', default: 1 }) }),
        aB: section('', { c: integer({ description: '', default: 1 }) }),
      },
      'O3_A_B_C stands for both',
    ],
  ])('of %s for two settings is a bug', (_, sections, message) => {
    expect(() => defineConfig(sections)).toThrow(message)
  })

  test('with a default that is no size is a bug', () => {
    expect(() => size({ description: 'x', default: 'much' })).toThrow('not a size')
  })

  test('becomes a page of reference', () => {
    const page = configReference(schema)
    expect(page).toContain('## s3\n\nThe S3 front end.\n')
    expect(page).toContain('| `s3.port` | integer, 0 to 65535 | `9878` | `O3_S3_PORT` `--port` | Where it listens. |')
    expect(page).toContain('| `s3.maxBodyBytes` | size, at most 5GiB | `64MiB` | `O3_S3_MAX_BODY_BYTES` | A body. |')
    expect(page).toContain('| `store.layout` | packed \\| plain | `packed` | `O3_STORE_LAYOUT` | **hard** How. |')
    expect(page).toContain(
      '| `store.secretKey` | text, secret |  | `O3_STORE_SECRET_KEY` `O3_ROOT_SECRET_KEY` | **secret** The key. |',
    )
  })
})

describe('units', () => {
  test.each([
    ['512', 512],
    ['0', 0],
    ['1KiB', 1024],
    ['1.5 GiB', 1.5 * 2 ** 30],
    ['10M', 10 * 2 ** 20],
    ['10MB', 10_000_000],
    ['5TiB', 5 * 2 ** 40],
    ['1.5B', undefined],
    ['-1', undefined],
    ['1e9', undefined],
    ['', undefined],
    ['MiB', undefined],
    ['1 mib', undefined],
    ['9007199254740993', undefined],
  ])('the size %s is %s bytes', (written, bytes) => expect(parseSize(written)).toBe(bytes))

  test.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['15m', 900_000],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
    ['0s', 0],
    ['30', undefined],
    ['1.5h', undefined],
    ['30m1h', undefined],
    ['1h 30m', undefined],
    ['-1s', undefined],
    ['', undefined],
  ])('the duration %s is %s ms', (written, ms) => expect(parseDuration(written)).toBe(ms))

  test('are written so that they are read back', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (value) => parseSize(formatSize(value)) === value))
    fc.assert(fc.property(fc.maxSafeNat(), (value) => parseDuration(formatDuration(value)) === value))
  })
})

test.each([
  ['prot', ['port', 'host'], 'port'],
  ['PORT', ['port'], 'port'],
  ['bukcet', ['bucket', 'volume'], 'bucket'],
  ['zzz', ['port', 'host'], undefined],
  ['x', [], undefined],
])('closest(%s)', (wrong, candidates, expected) => {
  expect(closest(wrong, candidates)).toBe(expected)
})
