import { utf8ToBinary } from '@o3/common/codec'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bucketRef, commitInline, prepare } from '../fixtures/commands.ts'
import { PureOm } from '../fixtures/pure-om.ts'

const byteOrder = (a: string, b: string): number => {
  const [left, right] = [utf8ToBinary(a), utf8ToBinary(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

/** What S3 says a listing is, by sorting and grouping everything. */
function expected(keys: readonly string[], query: { prefix: string; delimiter: string; after: string; limit: number }) {
  const { prefix, delimiter, after, limit } = query
  const shown = new Set<string>()
  for (const key of keys.toSorted(byteOrder)) {
    if (!key.startsWith(prefix)) continue
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    const name = at === -1 ? key : `prefix:${key.slice(0, at + delimiter.length)}`
    if (byteOrder(name.replace(/^prefix:/, ''), after) > 0) shown.add(name)
  }
  return { items: [...shown].slice(0, limit), truncated: limit > 0 && shown.size > limit }
}

async function listed(om: PureOm, query: { prefix: string; delimiter: string; after: string; limit: number }) {
  const page = await om.om.listKeys({ ...bucketRef, ...query })
  return {
    items: page.items.map((item) => (item.kind === 'key' ? item.key.name : `prefix:${item.prefix}`)),
    truncated: page.truncated,
  }
}

function filled(keys: readonly string[]): PureOm {
  const om = new PureOm()
  prepare(om)
  for (const key of keys) om.do(commitInline(key, [1]))
  return om
}

const everything = { prefix: '', delimiter: '', after: '', limit: 10_000 }

const nasty = [
  'a',
  'a/',
  'a//',
  'a//b',
  '/',
  '//',
  '/x',
  'a/../b',
  '..',
  '.',
  './',
  'a-b',
  'a/c',
  'a0',
  'a.b',
  'A',
  ' ',
  'a/ /b',
  '\u0000',
  'a\u0000b',
  'a/\u0000',
  '\u00e9',
  'e\u0301',
  '\ue000',
  '\u{10000}',
  '\uffff',
  '\u{1f600}/x',
  '日本/語',
  'z'.repeat(1024),
  '/'.repeat(1024),
  `${'d/'.repeat(511)}ab`,
  '~',
  '\u007f',
  '\u0080',
  '%2F',
  'a%2Fb',
  'a b',
  'a+b',
  '"',
  '&',
  '<',
  '\n',
]

describe('the walk of the tree', () => {
  test('is the order of the UTF-8 bytes, whatever the keys', async () => {
    const om = filled(nasty.toReversed())
    expect((await listed(om, everything)).items).toEqual(nasty.toSorted(byteOrder))
    expect(await om.om.audit()).toEqual([])
  })

  test('is so for random keys', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(keys(), { maxLength: 30 }), async (names) => {
        expect((await listed(filled(names), everything)).items).toEqual(names.toSorted(byteOrder))
      }),
      { numRuns: 300 },
    )
  })
})

// Few letters, so that keys share prefixes; each stands for another place in the byte order around the slash.
const letters = ['a', 'b', '-', '/', '/', '/', '.', '0', '\u0000', '\u00e9', '\u{1f600}', '\ue000']
function keys(): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom(...letters), { minLength: 1, maxLength: 7 }).map((parts) => parts.join(''))
}

const fragment = fc.array(fc.constantFrom(...letters), { maxLength: 3 }).map((parts) => parts.join(''))
const delimiter = fc.oneof(
  { weight: 3, arbitrary: fc.constant('/') },
  { weight: 2, arbitrary: fc.constant('') },
  { weight: 3, arbitrary: fc.constantFrom('-', 'a', '//', 'a/', '/b', 'é', '\u{1f600}', '-/', 'ab') },
)
const query = fc.record({
  prefix: fc.oneof(fc.constant(''), fragment),
  delimiter,
  after: fc.oneof(fc.constant(''), keys()),
  limit: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constant(1000)),
})

describe('a listing', () => {
  test('is what sorting and grouping everything gives', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(keys(), { minLength: 5, maxLength: 40 }),
        fc.array(query, { minLength: 10, maxLength: 10 }),
        async (names, queries) => {
          const om = filled(names)
          for (const one of queries) expect(await listed(om, one), JSON.stringify(one)).toEqual(expected(names, one))
        },
      ),
      { numRuns: 400 },
    )
  })

  test('paged by its own last entry shows everything once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(keys(), { maxLength: 40 }),
        delimiter,
        fc.integer({ min: 1, max: 5 }),
        async (names, delimiter, limit) => {
          const om = filled(names)
          const found: string[] = []
          let after = ''
          for (let more = true; more;) {
            const page = await listed(om, { prefix: '', delimiter, after, limit })
            found.push(...page.items)
            after = page.items.at(-1)?.replace(/^prefix:/, '') ?? ''
            more = page.truncated
          }
          expect(found).toEqual(expected(names, { ...everything, delimiter }).items)
        },
      ),
      { numRuns: 150 },
    )
  })
})
