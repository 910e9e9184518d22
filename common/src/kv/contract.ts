import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Drive } from '../env/testing/drive.ts'
import type { BinaryKey, KeyRange, KvReader, KvStore, KvWrite } from './kv.ts'

export interface KvUnderTest {
  /** An empty store. */
  readonly store: KvStore
  /** The same store after `store.close()`, as the next start of the process finds it. */
  reopen(): Promise<KvStore>
  /** After the last test with it; closes what is open. */
  discard(): Promise<void>
  /** Runs a test's body where time is virtual. */
  readonly drive?: Drive
}

/** The suite of the key-value port; every engine runs it. */
export function kvContract(name: string, open: () => Promise<KvUnderTest>): void {
  describe(`the key-value contract: ${name}`, () => {
    let under: KvUnderTest
    let store: KvStore
    beforeEach(async () => {
      under = await open()
      store = under.store
    })
    afterEach(() => under.discard())

    const drive: Drive = (main) => (under.drive ?? ((inRealTime) => inRealTime()))(main)
    const on = (title: string, body: () => Promise<void>): void => test(title, () => drive(body))

    on('a key has the value that was written last', async () => {
      await store.write([put('a', 'one'), put('b', 'two')])
      await store.write([put('a', 'three'), drop('b')])
      expect(text(await store.get('a'))).toBe('three')
      expect(await store.get('b')).toBeUndefined()
    })

    on('within a batch the last operation on a key counts', async () => {
      await store.write([put('a', '1'), drop('a'), put('b', '1'), put('b', '2'), drop('c'), put('c', '3')])
      expect(await allOf(store)).toEqual(['b=2', 'c=3'])
    })

    on('an empty batch, an empty key and an empty value are fine', async () => {
      await store.write([])
      await store.write([put('', 'nameless'), put('x', '')])
      expect(text(await store.get(''))).toBe('nameless')
      expect((await store.get('x'))?.length).toBe(0)
    })

    on('getMany answers in the order asked', async () => {
      await store.write([put('a', '1'), put('c', '3')])
      const values = await store.getMany(['c', 'b', 'a', 'c'])
      expect(values.map(text)).toEqual(['3', undefined, '1', '3'])
      expect(await store.getMany([])).toEqual([])
    })

    on('keys are bytes, ordered as bytes', async () => {
      const keys = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte))
      await store.write(keys.toReversed().map((key) => put(key, key)))
      const cursor = store.cursor({ from: '', to: '\u00ff\u00ff' })
      const entries = await cursor.next(300)
      await cursor.close()
      expect(entries.map((entry) => entry.key)).toEqual(keys)
    })

    on('writes that do not wait for each other are applied in the order of their calls', async () => {
      const writes = Array.from({ length: 200 }, (_, i) => store.write([put('counter', `${i}`), put(`k${i}`, '')]))
      await Promise.all(writes)
      expect(text(await store.get('counter'))).toBe('199')
      expect(await allOf(store, { from: 'k', to: 'l' })).toHaveLength(200)
    })

    describe('a cursor', () => {
      beforeEach(() => drive(() => store.write(['a', 'b', 'c', 'd', 'e'].map((key) => put(key, key.toUpperCase())))))

      test.each<[string, KeyRange, string]>([
        ['includes from, excludes to', { from: 'b', to: 'd' }, 'bc'],
        ['needs neither bound to exist', { from: 'aa', to: 'dd' }, 'bcd'],
        ['reverse: from to down to from', { from: 'b', to: 'd', reverse: true }, 'cb'],
        ['reverse, bounds that do not exist', { from: 'aa', to: 'dd', reverse: true }, 'dcb'],
        ['of an empty range', { from: 'c', to: 'c' }, ''],
        ['beyond all keys', { from: 'x', to: 'z' }, ''],
      ])('%s', (_, range, expected) =>
        drive(async () => {
          expect((await keysOf(store, range)).join('')).toBe(expected)
        }),
      )

      on('gives at most the limit, then goes on, then is empty', async () => {
        const cursor = store.cursor({ from: 'a', to: 'z' })
        const pages: string[] = []
        for (;;) {
          const page = await cursor.next(2)
          if (page.length === 0) break
          expect(page.length).toBeLessThanOrEqual(2)
          pages.push(page.map((entry) => entry.key).join(''))
        }
        expect(pages.join('')).toBe('abcde')
        expect(await cursor.next(2)).toEqual([])
        await cursor.close()
        await cursor.close()
      })

      test.each<[string, KeyRange, BinaryKey, string]>([
        ['to a key', { from: 'a', to: 'z' }, 'c', 'cde'],
        ['between keys', { from: 'a', to: 'z' }, 'bb', 'cde'],
        ['before the range', { from: 'c', to: 'z' }, 'a', 'cde'],
        ['behind the range', { from: 'a', to: 'c' }, 'd', ''],
        ['reverse to a key', { from: 'a', to: 'z', reverse: true }, 'c', 'cba'],
        ['reverse between keys', { from: 'a', to: 'z', reverse: true }, 'bb', 'ba'],
        ['reverse, before the range', { from: 'a', to: 'c', reverse: true }, 'x', 'ba'],
        ['reverse, behind the range', { from: 'c', to: 'z', reverse: true }, 'a', ''],
      ])('seeks %s', (_, range, target, expected) =>
        drive(async () => {
          for (const readBefore of [0, 1, 10]) {
            const cursor = store.cursor(range)
            if (readBefore > 0) await cursor.next(readBefore)
            cursor.seek(target)
            const entries = await cursor.next(10)
            expect(entries.map((entry) => entry.key).join('')).toBe(expected)
            await cursor.close()
          }
        }),
      )

      on('sees the moment of its creation', async () => {
        const cursor = store.cursor({ from: 'a', to: 'z' })
        await store.write([drop('b'), put('aa', 'new'), put('c', 'changed')])
        const seen = (await cursor.next(10)).map((entry) => `${entry.key}=${text(entry.value)}`)
        expect(seen).toEqual(['a=A', 'b=B', 'c=C', 'd=D', 'e=E'])
        cursor.seek('')
        expect(await cursor.next(10)).toHaveLength(5)
        await cursor.close()
      })
    })

    on('a snapshot sees one moment, whatever is written', async () => {
      await store.write([put('a', '1'), put('b', '1')])
      const snapshot = store.snapshot()
      await store.write([put('a', '2'), drop('b'), put('c', '2')])
      await store.checkpoint()
      expect(text(await snapshot.get('a'))).toBe('1')
      expect((await snapshot.getMany(['b', 'c'])).map(text)).toEqual(['1', undefined])
      expect(await allOf(snapshot)).toEqual(['a=1', 'b=1'])
      expect(await allOf(store)).toEqual(['a=2', 'c=2'])
      await snapshot.close()
    })

    on('an orderly close loses nothing', async () => {
      await store.write([put('a', '1')])
      await store.checkpoint()
      await store.write([put('b', '2')])
      await store.close()
      expect(await allOf(await under.reopen())).toEqual(['a=1', 'b=2'])
    })

    on('a closed store answers Closed', async () => {
      await store.close()
      const closed = expect.objectContaining({ code: 'Closed' })
      await expect(store.get('a')).rejects.toEqual(closed)
      await expect(store.getMany(['a'])).rejects.toEqual(closed)
      await expect(store.write([put('a', '1')])).rejects.toEqual(closed)
      await expect(store.checkpoint()).rejects.toEqual(closed)
      expect(() => store.snapshot()).toThrow(closed)
      expect(() => store.cursor({ from: '', to: 'z' })).toThrow(closed)
      await store.close()
    })

    on('equals a sorted table under random programs', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(batches, { maxLength: 20 }), ranges, async (program, range) => {
          const everything = await keysOf(store, { from: '', to: '\u00ff\u00ff\u00ff' })
          await store.write(everything.map(drop))
          const model = new Map<BinaryKey, string>()
          for (const batch of program) {
            await store.write(batch)
            for (const write of batch) {
              if (write.kind === 'put') model.set(write.key, text(write.value) ?? '')
              else model.delete(write.key)
            }
          }
          const expected = [...model]
            .filter(([key]) => key >= range.from && key < range.to)
            .toSorted(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, value]) => `${key}=${value}`)
          expect(await allOf(store, range)).toEqual(range.reverse === true ? expected.toReversed() : expected)
        }),
        { numRuns: 60 },
      )
    })
  })
}

const keys = fc.string({ unit: fc.constantFrom('\u0000', 'a', 'b', '\u007f', '\u0080', '\u00ff'), maxLength: 4 })

const batches = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('put' as const), key: keys, value: fc.uint8Array({ maxLength: 8 }) }),
    fc.record({ kind: fc.constant('delete' as const), key: keys }),
  ),
  { maxLength: 12 },
)

const ranges = fc.record({ from: keys, to: keys, reverse: fc.boolean() })

function put(key: BinaryKey, value: string): KvWrite {
  return { kind: 'put', key, value: Buffer.from(value, 'latin1') }
}

function drop(key: BinaryKey): KvWrite {
  return { kind: 'delete', key }
}

function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString('latin1')
}

async function keysOf(reader: KvReader, range: KeyRange): Promise<BinaryKey[]> {
  const cursor = reader.cursor(range)
  const found: BinaryKey[] = []
  for (let page = await cursor.next(7); page.length > 0; page = await cursor.next(7)) {
    found.push(...page.map((entry) => entry.key))
  }
  await cursor.close()
  return found
}

async function allOf(reader: KvReader, range: KeyRange = { from: '', to: '\u00ff\u00ff\u00ff' }): Promise<string[]> {
  const found: string[] = []
  for (const key of await keysOf(reader, range)) found.push(`${key}=${text(await reader.get(key))}`)
  return found
}
