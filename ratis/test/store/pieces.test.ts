import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { refuse } from '@o3/common/errors'
import { SimRandom } from '@o3/common/env/sim'
import { decodeEntry, encodeEntry, type EntryRecord } from '../../src/store/entry-codec.ts'
import { RequestLedger } from '../../src/store/request-ledger.ts'
import { RowCache } from '../../src/store/row-cache.ts'
import { decodePointer, encodePointer } from '../../src/store/rows-home.ts'
import { decodePiece, encodePiece } from '../../src/store/snapshot-piece.ts'
import { Stamps } from '../../src/store/stamp.ts'
import {
  decodeApplied,
  decodeCheckpoint,
  decodeConfigurationRow,
  decodeIdentity,
  decodeIncoming,
  decodeLedgerChunk,
  encodeApplied,
  encodeCheckpoint,
  encodeConfigurationRow,
  encodeIdentity,
  encodeIncoming,
  encodeLedgerChunk,
  ledgerChunkIndex,
  ledgerChunkKey,
  ledgerRange,
} from '../../src/store/system-rows.ts'

const number = fc.integer({ min: 0, max: 2 ** 53 - 1 })
const binaryKey = fc
  .array(fc.integer({ min: 0, max: 255 }), { maxLength: 90 })
  .map((bytes) => String.fromCharCode(...bytes))
const bytes = fc.uint8Array({ maxLength: 100 })

describe('a log entry', () => {
  const record: fc.Arbitrary<EntryRecord> = fc.record({
    wallMs: number,
    lastSequence: number,
    rows: fc.array(fc.record({ rowKey: binaryKey, value: fc.option(bytes, { nil: undefined }) }), { maxLength: 5 }),
    replies: fc.array(fc.record({ requestId: fc.string({ unit: 'grapheme' }), reply: bytes }), { maxLength: 5 }),
  })

  test('comes back as it was', () => {
    fc.assert(
      fc.property(record, (entry) => {
        expect(decodeEntry(encodeEntry(entry, 16))).toEqual(entry)
      }),
    )
  })

  test('has the layout of version 1', () => {
    const entry: EntryRecord = {
      wallMs: 1000,
      lastSequence: 7,
      rows: [
        { rowKey: 'ka', value: Uint8Array.of(1, 2) },
        { rowKey: 'kb', value: undefined },
        { rowKey: 'kc', value: new Uint8Array(0) },
      ],
      replies: [{ requestId: 'r', reply: Uint8Array.of(9) }],
    }
    expect(Buffer.from(encodeEntry(entry, 16)).toString('hex')).toBe(
      ['01', 'e807', '07', '03', '026b61', '030102', '026b62', '00', '026b63', '01', '01', '0172', '0109'].join(''),
    )
  })

  test('of a later version is refused', () => {
    expect(() => decodeEntry(Uint8Array.of(2, 0, 0, 0, 0))).toThrow('log entry of version 2')
  })
})

describe('system rows', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(number, number, number, (index, term, lastSequence) => {
        expect(decodeApplied(encodeApplied({ index, term, lastSequence }))).toEqual({ index, term, lastSequence })
      }),
    )
    expect(decodeIdentity(encodeIdentity('ab'.repeat(16)))).toBe('ab'.repeat(16))
    expect(decodeCheckpoint(encodeCheckpoint({ index: 9, term: 2 }))).toEqual({ index: 9, term: 2 })
    const incoming = { snapshot: 'one/2', position: 'c\xff', isComplete: true }
    expect(decodeIncoming(encodeIncoming(incoming))).toEqual(incoming)
    const payload = Uint8Array.of(0, 1)
    expect(decodeConfigurationRow(encodeConfigurationRow(7, payload))).toEqual({ index: 7, payload })
    const records = [{ requestId: 'ü', reply: Uint8Array.of(1), index: 5, wallMs: 99 }]
    expect(decodeLedgerChunk(encodeLedgerChunk(records))).toEqual(records)
  })

  test('ledger chunks sort by the last entry they cover, within the ledger range', () => {
    const keys = [ledgerChunkKey(1, 0), ledgerChunkKey(1, 1), ledgerChunkKey(255, 0), ledgerChunkKey(256, 3)]
    expect(keys.toSorted()).toEqual(keys)
    expect(keys.map(ledgerChunkIndex)).toEqual([1, 1, 255, 256])
    for (const key of keys) expect(key >= ledgerRange.from && key < ledgerRange.to).toBe(true)
  })
})

describe('what says which rows count', () => {
  test.each([
    [{ generation: 0, reset: undefined }, '010000'],
    [{ generation: 3, reset: { index: 300, term: 5 } }, '010301ac0205'],
  ])('has the layout of version 1, and a checksum: %j', (pointer, body) => {
    const bytes = encodePointer(pointer)
    expect(Buffer.from(bytes.subarray(0, -4)).toString('hex')).toBe(body)
    expect(decodePointer(bytes, 'rows')).toEqual(pointer)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const broken = bytes.slice()
      broken[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => decodePointer(broken, 'rows')).toThrow('rows is damaged')
    }
    expect(() => decodePointer(bytes.subarray(0, 5), 'rows')).toThrow('rows is damaged')
  })
})

test('a piece of a snapshot comes back as it was', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ key: binaryKey, value: bytes }), { maxLength: 9 }), (rows) => {
      expect(decodePiece(encodePiece(rows, 16))).toEqual(rows)
    }),
  )
  expect(Buffer.from(encodePiece([{ key: 'a', value: Uint8Array.of(7) }], 16)).toString('hex')).toBe('010101610107')
})

test('the ledger remembers what a plain list would', () => {
  const window = { maxRequests: 5, maxAgeMs: 100 }
  const step = fc.record({ id: fc.nat(8), afterMs: fc.nat(40), isCleared: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ledger = new RequestLedger(window)
      let list: { readonly id: string; readonly index: number; readonly wallMs: number }[] = []
      let wallMs = 0
      for (const [at, { id, afterMs, isCleared }] of steps.entries()) {
        if (isCleared && at % 7 === 6) {
          ledger.replace([])
          list = []
        }
        wallMs += afterMs
        const answer = { id: `r${id}`, index: at + 1, wallMs }
        ledger.rememberReply(answer.id, Uint8Array.of(at), answer)
        list = [...list.filter((each) => each.id !== answer.id), answer]
        while (list.length > window.maxRequests || wallMs - (list[0]?.wallMs ?? 0) > window.maxAgeMs) list.shift()
        expect(ledger.repliesAfter(0).map(({ requestId, index }) => [requestId, index])).toEqual(
          list.map((each) => [each.id, each.index]),
        )
      }
    }),
  )
})

describe('the row cache', () => {
  test('knows rows that do not exist', () => {
    const cache = new RowCache(10_000)
    expect(cache.get('x')).toBeUndefined()
    cache.put('x', undefined, 0)
    expect(cache.get('x')).toMatchObject({ value: undefined })
  })

  test('keeps within its bytes, and prefers what was used', () => {
    const cache = new RowCache(10_000)
    cache.put('hot', 'hot', 100)
    for (let i = 0; i < 1000; i++) {
      cache.get('hot')
      cache.put(`cold ${i}`, i, 100)
    }
    expect(cache.sizeBytes).toBeLessThanOrEqual(10_000)
    expect(cache.count).toBeGreaterThan(20)
    expect(cache.get('hot')?.value).toBe('hot')
  })

  test('never evicts what is pinned, and shrinks again when the pins go', () => {
    const cache = new RowCache(2000)
    const keys = Array.from({ length: 100 }, (_, i) => `row ${i}`)
    for (const key of keys) {
      cache.put(key, key, 100)
      cache.pin(key)
    }
    for (let i = 0; i < 100; i++) cache.put(`other ${i}`, i, 100)
    expect(keys.every((key) => cache.get(key)?.value === key)).toBe(true)
    for (const key of keys) cache.unpin(key)
    for (let i = 0; i < 20; i++) cache.put(`more ${i}`, i, 100)
    expect(cache.sizeBytes).toBeLessThanOrEqual(2000)
  })

  test('a row that is larger than the cache is held until the next one comes', () => {
    const cache = new RowCache(1000)
    cache.put('big', 'big', 5000)
    expect(cache.get('big')?.value).toBe('big')
    cache.put('a', 1, 1)
    cache.put('b', 1, 1)
    expect(cache.sizeBytes).toBeLessThanOrEqual(1000)
  })

  test('its size is the sum of what is in it', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(300)), { maxLength: 100 }), (puts) => {
        const cache = new RowCache(3000)
        for (const [key, size] of puts) cache.put(`k${key}`, size, size)
        const expected = Array.from({ length: 21 }, (_, key) => cache.get(`k${key}`)).reduce(
          (sum, row) => sum + (row?.bytes ?? 0),
          0,
        )
        expect(cache.sizeBytes).toBe(expected)
      }),
    )
  })
})

describe('the request ledger', () => {
  const window = { maxRequests: 3, maxAgeMs: 100 }
  const reply = Uint8Array.of(1)

  test('forgets by count', () => {
    const ledger = new RequestLedger(window)
    for (let index = 1; index <= 5; index++) ledger.rememberReply(`r${index}`, reply, { index, wallMs: 0 })
    expect([1, 2, 3, 4, 5].filter((n) => ledger.find(`r${n}`, 0) !== undefined)).toEqual([3, 4, 5])
  })

  test('forgets by age, also when nothing new comes', () => {
    const ledger = new RequestLedger(window)
    ledger.rememberReply('old', reply, { index: 1, wallMs: 0 })
    expect(ledger.find('old', 100)).toBeDefined()
    expect(ledger.find('old', 101)).toBeUndefined()
    ledger.rememberReply('new', reply, { index: 2, wallMs: 101 })
    expect(ledger.size).toBe(1)
  })

  test.each([
    ['KeyNotFound', true],
    ['PreconditionFailed', true],
    ['ConcurrentChange', false],
    ['Busy', false],
  ] as const)('a refusal %s sticks: %s', (code, sticks) => {
    const ledger = new RequestLedger(window)
    ledger.rememberRefusal('r', refuse(code, 'no'), 0)
    expect(ledger.find('r', 0) !== undefined).toBe(sticks)
  })

  test('a checkpoint keeps the replies behind the one before, and nothing that changed nothing', () => {
    const ledger = new RequestLedger(window)
    ledger.rememberReply('one', reply, { index: 1, wallMs: 0 })
    ledger.rememberUnchanged('look', reply, 0)
    ledger.rememberReply('two', reply, { index: 2, wallMs: 0 })
    expect(ledger.repliesAfter(1).map(({ requestId }) => requestId)).toEqual(['two'])
    expect(ledger.oldestIndex(0)).toBe(1)
    expect(ledger.oldestIndex(500)).toBeUndefined()
  })
})

test('stamps count on, and their nonces differ and stay', () => {
  const stamps = new Stamps(new SimRandom('x'), 41)
  const drawn = Array.from({ length: 600 }, () => stamps.next(7))
  expect(drawn.map(({ sequence }) => sequence)).toEqual(drawn.map((_, at) => 42 + at))
  expect(new Set(drawn.map(({ nonce }) => nonce)).size).toBe(600)
  expect(drawn.every(({ nonce }) => /^[0-9a-f]{32}$/.test(nonce))).toBe(true)
  expect(drawn[3]!.nonce).toBe(drawn[3]!.nonce)
})
