import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ByteReader,
  ByteWriter,
  binaryToUtf8,
  readU32Key,
  readU64Key,
  u32Key,
  u64Key,
  utf8Length,
  utf8ToBinary,
} from '../../src/codec/codec.ts'
import { isStoreError } from '../../src/errors.ts'

/** Any UTF-16, lone surrogates included. */
const anyText = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) })
const properText = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed())
const safeInteger = fc.maxSafeNat()

describe('UTF-8 as binary strings', () => {
  test('is what Buffer says', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(utf8ToBinary(text)).toBe(Buffer.from(text, 'utf8').toString('latin1'))
        expect(utf8Length(text)).toBe(Buffer.byteLength(text))
      }),
    )
  })

  test('comes back as it was, when it was proper', () => {
    fc.assert(
      fc.property(properText, (text) => {
        expect(binaryToUtf8(utf8ToBinary(text))).toBe(text)
      }),
    )
  })

  test('sorts by bytes, where UTF-16 would not', () => {
    const sign = (n: number): number => Math.sign(n)
    fc.assert(
      fc.property(properText, properText, (a, b) => {
        const [left, right] = [utf8ToBinary(a), utf8ToBinary(b)]
        expect(sign(left < right ? -1 : left > right ? 1 : 0)).toBe(
          sign(Buffer.compare(Buffer.from(a), Buffer.from(b))),
        )
      }),
    )
    const names = ['\uffee', '\u{1f600}']
    expect(names.toSorted()).toEqual(names.toReversed())
    expect(names.map(utf8ToBinary).toSorted().map(binaryToUtf8)).toEqual(names)
  })

  test.each([
    ['a continuation that is none', 'a\xc3('],
    ['an end in the middle', 'a\xe2\x82'],
    ['a code point beyond Unicode', '\xf4\x90\x80\x80'],
  ])('refuses %s', (_, bytes) => {
    expect(() => binaryToUtf8(bytes)).toThrowError(expect.objectContaining({ code: 'Damaged' }))
  })
})

describe('numbers in row keys', () => {
  test('come back, and sort as the numbers do', () => {
    fc.assert(
      fc.property(safeInteger, safeInteger, (a, b) => {
        expect(readU64Key(`x${u64Key(a)}`, 1)).toBe(a)
        expect(u64Key(a) < u64Key(b)).toBe(a < b)
      }),
    )
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), (a, b) => {
        expect(readU32Key(u32Key(a), 0)).toBe(a)
        expect(u32Key(a) < u32Key(b)).toBe(a < b)
      }),
    )
  })
})

/** A field with how it is written and read. */
type Field =
  | { readonly kind: 'u8' | 'u32' | 'varint'; readonly value: number }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'utf8'; readonly value: string }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'list'; readonly value: readonly number[] }
  | { readonly kind: 'optional'; readonly value: number | undefined }
  | { readonly kind: 'textMap'; readonly value: Readonly<Record<string, string>> }

const anyField: fc.Arbitrary<Field> = fc.oneof(
  fc.record({ kind: fc.constant('u8' as const), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('u32' as const), value: fc.nat(0xffffffff) }),
  fc.record({ kind: fc.constant('varint' as const), value: safeInteger }),
  fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ kind: fc.constant('utf8' as const), value: properText }),
  fc.record({ kind: fc.constant('bool' as const), value: fc.boolean() }),
  fc.record({ kind: fc.constant('list' as const), value: fc.array(safeInteger, { maxLength: 20 }) }),
  fc.record({ kind: fc.constant('optional' as const), value: fc.option(safeInteger, { nil: undefined }) }),
  fc.record({ kind: fc.constant('textMap' as const), value: fc.dictionary(properText, properText, { maxKeys: 5 }) }),
)

function write(writer: ByteWriter, field: Field): void {
  switch (field.kind) {
    case 'list':
      writer.list(field.value, (to, item) => to.varint(item))
      return
    case 'optional':
      writer.optional(field.value, (to, item) => to.varint(item))
      return
    case 'u8':
    case 'u32':
    case 'varint':
      writer[field.kind](field.value)
      return
    case 'bytes':
      writer.bytes(field.value)
      return
    case 'utf8':
      writer.utf8(field.value)
      return
    case 'bool':
      writer.bool(field.value)
      return
    case 'textMap':
      writer.textMap(field.value)
  }
}

function read(reader: ByteReader, kind: Field['kind']): unknown {
  if (kind === 'list') return reader.list((from) => from.varint())
  if (kind === 'optional') return reader.optional((from) => from.varint())
  return reader[kind]()
}

describe('records', () => {
  test('are read as they were written, to the last byte', () => {
    fc.assert(
      fc.property(fc.array(anyField), (fields) => {
        const writer = new ByteWriter(1)
        for (const field of fields) write(writer, field)
        const reader = new ByteReader(writer.finish())
        for (const field of fields) {
          const value = read(reader, field.kind)
          if (field.kind === 'textMap') expect(Object.entries(value as object)).toEqual(Object.entries(field.value))
          else expect(value).toEqual(field.value)
        }
        expect(reader.remaining).toBe(0)
      }),
    )
  })

  test('that are cut anywhere are damaged, or read as what is left', () => {
    fc.assert(
      fc.property(fc.array(anyField, { minLength: 1 }), fc.double({ min: 0, max: 1, noNaN: true }), (fields, where) => {
        const writer = new ByteWriter()
        for (const field of fields) write(writer, field)
        const whole = writer.finish()
        const reader = new ByteReader(whole.subarray(0, Math.floor(where * (whole.length - 1))))
        const readAll = (): void => {
          for (const field of fields) read(reader, field.kind)
        }
        expect(readAll).toThrowError(expect.objectContaining({ code: 'Damaged' }))
      }),
    )
  })

  test('of noise give a value or are damaged, and nothing else', () => {
    const kinds: Field['kind'][] = ['u8', 'u32', 'varint', 'bytes', 'utf8', 'bool', 'list', 'optional', 'textMap']
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.constantFrom(...kinds), (noise, kind) => {
        try {
          read(new ByteReader(noise), kind)
        } catch (error) {
          expect(isStoreError(error, 'Damaged')).toBe(true)
        }
      }),
    )
  })

  test('are not changed by who changes a copy of what was read, a Buffer of the network or of a disk either', () => {
    const record = Buffer.from(
      new ByteWriter()
        .bytes(new Uint8Array([1, 2]))
        .raw(new Uint8Array([3]))
        .finish(),
    )
    const reader = new ByteReader(record)
    for (const read of [reader.bytes(), reader.raw(1)]) read.slice().fill(9)
    expect([...record]).toEqual([2, 1, 2, 3])
  })

  test('keep a key named __proto__ a key', () => {
    const map = Object.fromEntries([['__proto__', 'x']])
    const back = new ByteReader(new ByteWriter().textMap(map).finish()).textMap()
    expect(Object.keys(back)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
  })
})
