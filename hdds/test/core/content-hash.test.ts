import { crc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checksumUnitBytes } from '../../src/api/api.ts'
import { BlockChecksum, checksumOfUnits } from '../../src/core/block-checksum.ts'
import { addHash, emptyHash, formatHash, hashOf, sameHash, subtractHash } from '../../src/core/content-hash.ts'
import { unitChecksums } from '../../src/storage/checksum.ts'
import { patternOf, piecesOf } from '../harness/bytes.ts'

const wide = ({ high, low }: { high: number; low: number }): bigint => (BigInt(high) << 32n) | BigInt(low)
const half = fc.integer({ min: 0, max: 0xffff_ffff })
const hash = fc.record({ high: half, low: half })

describe('the content hash', () => {
  test.each([
    [{ local: 1, lengthBytes: 0, checksum: 0 }, '3770a83516f60368'],
    [{ local: 70_000, lengthBytes: 5 * 2 ** 30 + 7, checksum: 0xe306_9283 }, 'ca795acc687d08a6'],
  ])('of %j is %s', (block, expected) => {
    expect(formatHash(hashOf(block))).toBe(expected)
  })

  test('adds and subtracts modulo 2^64', () => {
    fc.assert(
      fc.property(hash, hash, (a, b) => {
        expect(wide(addHash(a, b))).toBe(BigInt.asUintN(64, wide(a) + wide(b)))
        expect(wide(subtractHash(a, b))).toBe(BigInt.asUintN(64, wide(a) - wide(b)))
        expect(sameHash(subtractHash(addHash(a, b), b), a)).toBe(true)
      }),
    )
  })

  test('tells apart what differs in any part', () => {
    const seen = new Set<string>()
    for (let local = 1; local <= 40; local++) {
      for (let length = 0; length < 20; length++) {
        for (let checksum = 0; checksum < 20; checksum++) {
          seen.add(formatHash(hashOf({ local, lengthBytes: length * 2 ** 31, checksum })))
        }
      }
    }
    expect(seen.size).toBe(40 * 20 * 20)
    expect(formatHash(emptyHash)).toBe('0000000000000000')
  })
})

describe('the checksum of a block', () => {
  /** As the contract says it. */
  const defined = (bytes: Uint8Array): number => {
    const units = piecesOf(bytes, checksumUnitBytes).map((unit) => crc32c(unit))
    return crc32c(new Uint8Array(Uint32Array.from(units).buffer))
  }

  test('does not depend on the pieces in which it was written', () => {
    const bytes = patternOf(1, 300_000)
    const expected = defined(bytes)
    expect(checksumOfUnits(unitChecksums([bytes]), crc32c)).toBe(expected)
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 150_000 }), { maxLength: 12 }), (sizes) => {
        const checksum = new BlockChecksum(crc32c)
        let at = 0
        for (const size of [...sizes, bytes.length]) {
          const piece = bytes.subarray(at, at + size)
          if (piece.length > 0) checksum.add(piecesOf(piece, 70_000), unitChecksums([piece]))
          at += piece.length
        }
        expect(checksum.value()).toBe(expected)
      }),
    )
  })

  test('of nothing is zero', () => {
    expect(new BlockChecksum(crc32c).value()).toBe(0)
    expect(checksumOfUnits([], crc32c)).toBe(0)
  })
})
