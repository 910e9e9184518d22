import { crc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DirectoryBuilder, DirectoryPage, decodeIndex, maxPageBytes, pageOf } from '../../../src/core/ec/directory.ts'
import type { Directory } from '../../../src/core/ec/directory.ts'
import { decodeDescriptor, descriptorBytes, encodeDescriptor } from '../../../src/core/ec/shard-descriptor.ts'
import type { ShardDescriptor } from '../../../src/core/ec/shard-descriptor.ts'
import { rejection } from '../../harness/expect-error.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

type Row = readonly [local: number, lengthBytes: number, checksum: number]

const directoryOf = (rows: readonly Row[]): Directory => {
  const builder = new DirectoryBuilder(crc32c)
  for (const row of rows) builder.add(...row)
  return builder.finish()
}

describe('the directory', () => {
  test('golden bytes', () => {
    const { index, pages } = directoryOf([
      [3, 100, 0xdeadbeef],
      [5, 0, 0],
      [4_000_000_000, 300_000_000, 0x01020304],
    ])
    const page =
      '01' + '03' + '00' + '03' + '0064' + 'efbeadde' + '0200' + '00000000' + 'fbcfacf30e' + '80c6868f01' + '04030201'
    expect(pages.map(hex)).toEqual([page])
    expect(hex(index)).toBe(`01010300031e${crcHex(pages[0]!)}`)
  })

  test('golden bytes of an empty one', () => {
    const { index, pages } = directoryOf([])
    expect(pages).toEqual([])
    expect(hex(index)).toBe('0100')
  })

  const rows = fc
    .uniqueArray(fc.integer({ min: 1, max: 2 ** 32 - 1 }), { maxLength: 200 })
    .chain((locals) =>
      fc.tuple(
        fc.constant(locals.toSorted((a, b) => a - b)),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 2 ** 40 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })), {
          minLength: locals.length,
          maxLength: locals.length,
        }),
      ),
    )
    .map(([locals, facts]) => locals.map((local, i): Row => [local, ...facts[i]!]))

  test('gives back every entry, and nothing else', () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 2 ** 32 - 1 }), (list, stranger) => {
        const { index, pages } = directoryOf(list)
        const summaries = decodeIndex(index)
        let offset = 0
        for (const [local, lengthBytes, checksum] of list) {
          const page = new DirectoryPage(pages[pageOf(summaries, local)]!)
          expect(page.find(local)).toEqual({ local, lengthBytes, checksum, offset })
          offset += lengthBytes
        }
        if (list.some(([local]) => local === stranger)) return
        const at = pageOf(summaries, stranger)
        expect(at < 0 ? undefined : new DirectoryPage(pages[at]!).find(stranger)).toBeUndefined()
      }),
    )
  })

  test('250,000 small blocks are a few dozen pages of at most 64 KiB', () => {
    const list = Array.from({ length: 250_000 }, (_, i): Row => [i + 1, 4096 + (i % 7), i])
    const { index, pages } = directoryOf(list)
    expect(Math.max(...pages.map((page) => page.length))).toBeLessThanOrEqual(maxPageBytes)
    expect(pages.length).toBeLessThan(32)
    expect(index.length).toBeLessThan(1024)
    const summaries = decodeIndex(index)
    const sums = summaries.map(({ checksum, count, lengthBytes }) => ({ checksum, count, lengthBytes }))
    expect(sums).toEqual(
      pages.map((page) => ({
        checksum: crc32c(page),
        count: new DirectoryPage(page).count,
        lengthBytes: page.length,
      })),
    )
    const page = new DirectoryPage(pages[pageOf(summaries, 123_457)]!)
    expect(page.find(123_457)).toMatchObject({ lengthBytes: 4096 + (123_456 % 7), checksum: 123_456 })
  })

  test('what another version wrote is refused, and what ends too early is damaged', async () => {
    const { index, pages } = directoryOf([[1, 2, 3]])
    await rejection(
      later(() => decodeIndex(index.with(0, 9))),
      'Incompatible',
    )
    await rejection(
      later(() => new DirectoryPage(pages[0]!.with(0, 9))),
      'Incompatible',
    )
    await rejection(
      later(() => decodeIndex(index.subarray(0, 6))),
      'Damaged',
    )
    await rejection(
      later(() => new DirectoryPage(pages[0]!.subarray(0, 8))),
      'Damaged',
    )
  })
})

describe('the descriptor', () => {
  const descriptor: ShardDescriptor = {
    policy: 'rs-6-3-1024k',
    shard: 8,
    parent: 300,
    cellBytes: 1024 * 1024,
    streamBytes: 5_000_000_000,
    blockCount: 250_000,
    directoryBytes: 2_000_000,
    indexBytes: 400,
    indexChecksum: 0xcafebabe,
    contentHash: '0123456789abcdef',
  }

  test('golden bytes', () => {
    const record =
      '010108ac02808040' +
      '80e497d012' +
      '90a10f' +
      '80897a' +
      '9003' +
      'bebafeca' +
      '0110' +
      Buffer.from('0123456789abcdef').toString('hex')
    expect(hex(encodeDescriptor(descriptor))).toBe(record.padEnd(2 * descriptorBytes, '0'))
  })

  test.each([descriptor, { ...descriptor, contentHash: undefined, streamBytes: 0, blockCount: 0 }])(
    'comes back',
    (each) => {
      expect(decodeDescriptor(encodeDescriptor(each))).toEqual(each)
    },
  )

  test('of another version, or of an unknown code, is refused', async () => {
    const bytes = encodeDescriptor(descriptor)
    await rejection(
      later(() => decodeDescriptor(bytes.with(0, 2))),
      'Incompatible',
    )
    await rejection(
      later(() => decodeDescriptor(bytes.with(1, 3))),
      'Incompatible',
    )
    await rejection(
      later(() => decodeDescriptor(encodeDescriptor({ ...descriptor, cellBytes: 0 }))),
      'Damaged',
    )
  })
})

const later = async (action: () => unknown): Promise<unknown> => action()

const crcHex = (bytes: Uint8Array): string => {
  const word = Buffer.alloc(4)
  word.writeUInt32LE(crc32c(bytes))
  return word.toString('hex')
}
