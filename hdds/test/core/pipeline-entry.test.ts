/** What is persisted of a pipeline: golden bytes, round trips, and what cannot be read. */

import { StoreError } from '@o3/common/errors'
import { describe, expect, test } from 'vitest'
import { DurableWindow } from '../../src/core/durable-window.ts'
import { decodeDescription, encodeDescription } from '../../src/core/pipeline-description.ts'
import type { PipelineDescription } from '../../src/core/pipeline-description.ts'
import { decodeEntry, encodeEntry, encodeWriteBlock } from '../../src/core/pipeline-entry.ts'
import type { PipelineEntry } from '../../src/core/pipeline-entry.ts'

const block = { container: 300, local: 70_000 }
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const encode = (entry: PipelineEntry): Uint8Array =>
  entry.kind === 'write-block' ? encodeWriteBlock(entry.block, [entry.bytes]) : encodeEntry(entry)

const entries: readonly (readonly [string, PipelineEntry])[] = [
  ['0100ac02f0a204010203', { kind: 'write-block', block, bytes: Uint8Array.of(1, 2, 3) }],
  ['0100ac02f0a204', { kind: 'write-block', block, bytes: new Uint8Array(0) }],
  [
    '0101ac02f0a204808040efbeadde0204646e2d3104646e2d32',
    { kind: 'agree-block', block, lengthBytes: 2 ** 20, checksum: 0xdead_beef, holders: ['dn-1', 'dn-2'] },
  ],
  ['0102ac0200', { kind: 'close-container', container: 300, contentHash: undefined }],
  [
    '0102ac02011030306666303066663030666630306666',
    { kind: 'close-container', container: 300, contentHash: '00ff00ff00ff00ff' },
  ],
]

describe('an entry', () => {
  test.each(entries)('%s has the bytes that it always had', (bytes, entry) => {
    expect(hex(encode(entry))).toBe(bytes)
    expect(decodeEntry(Buffer.from(bytes, 'hex'))).toEqual(entry)
  })

  test('of several pieces is one of all of them', () => {
    const pieces = [Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)]
    expect(hex(encodeWriteBlock(block, pieces))).toBe(entries[0]?.[0])
  })

  test.each([
    ['another version', '02', 'Incompatible'],
    ['another kind', '0109', 'Incompatible'],
    ['half an entry', '0101ac02f0a204', 'Damaged'],
    ['nothing', '', 'Damaged'],
  ])('of %s is refused', (_, bytes, code) => {
    expect(() => decodeEntry(Buffer.from(bytes, 'hex'))).toThrow(expect.objectContaining({ code }) as Error)
  })
})

describe('a description', () => {
  const description: PipelineDescription = {
    pipeline: 'p-1',
    state: 'withdrawn',
    members: [
      { datanode: 'dn-1', address: 'one:1' },
      { datanode: 'dn-2', address: 'two:2' },
    ],
    containers: [1, 300],
    isRejoined: false,
    partial: [],
    sealed: [],
  }
  const rest = '03702d31010204646e2d31056f6e653a3104646e2d320574776f3a320201ac02'

  test.each<[string, PipelineDescription, string]>([
    ['as it always was', description, `01${rest}`],
    ['of a member that lost its log', { ...description, isRejoined: true }, `02${rest}0100`],
    ['of one that lost a container', { ...description, partial: [300] }, `02${rest}0001ac02`],
    [
      'of one that sealed some',
      {
        ...description,
        sealed: [
          { first: 2, last: 4 },
          { first: 9, last: 9 },
        ],
      },
      `03${rest}00000202020500`,
    ],
  ])('has these bytes: %s', (_, described, bytes) => {
    expect(hex(encodeDescription(described))).toBe(bytes)
    expect(decodeDescription(Buffer.from(bytes, 'hex'))).toEqual(described)
    for (let length = 0; length < bytes.length / 2; length++) {
      expect(() => decodeDescription(Buffer.from(bytes, 'hex').subarray(0, length))).toThrow(StoreError)
    }
  })

  test('of a later release is refused', () => {
    expect(() => decodeDescription(Buffer.of(9))).toThrow('version 9')
  })
})

describe('a window of entries', () => {
  test('ends before the first that is not durable, whatever the others are', () => {
    const window = new DurableWindow({ index: 4, term: 1 })
    for (const index of [5, 6, 7, 8]) window.add({ index, term: index === 8 ? 3 : 2 }, index)
    expect(window.place).toEqual({ index: 4, term: 1 })
    window.done(6)
    window.done(8)
    expect({ place: window.place, held: window.held, pending: window.pending }).toEqual({
      place: { index: 4, term: 1 },
      held: 26,
      pending: 12,
    })
    window.done(5)
    expect(window.place).toEqual({ index: 6, term: 2 })
    window.done(7)
    expect({ place: window.place, held: window.held, pending: window.pending }).toEqual({
      place: { index: 8, term: 3 },
      held: 0,
      pending: 0,
    })
  })

  test('takes entries in their order, and each once', () => {
    const window = new DurableWindow({ index: 0, term: 0 })
    expect(() => window.add({ index: 2, term: 1 }, 1)).toThrow('in their order')
    window.add({ index: 1, term: 1 }, 1)
    window.done(1)
    expect(() => window.done(1)).toThrow('once')
  })
})
