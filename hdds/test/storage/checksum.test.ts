import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checksumUnitBytes } from '../../src/api/api.ts'
import { crc32c, unitChecksums, wholeChecksum } from '../../src/storage/checksum.ts'
import { chunksOf } from '../../src/core/chunks.ts'
import { patternOf, piecesOf } from '../harness/bytes.ts'

test('CRC32C of "123456789"', () => {
  expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283)
})

test('a unit has its checksum wherever the pieces are cut', () => {
  const bytes = patternOf(1, 3 * checksumUnitBytes + 17)
  const expected = piecesOf(bytes, checksumUnitBytes).map((unit) => crc32c(unit))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: bytes.length }), (pieceBytes) => {
      expect(unitChecksums(piecesOf(bytes, pieceBytes))).toEqual(expected)
    }),
    { numRuns: 30 },
  )
  expect(unitChecksums([bytes, new Uint8Array(0)])).toEqual(expected)
  expect(unitChecksums([])).toEqual([])
})

test.each([0, 1, 17, checksumUnitBytes, checksumUnitBytes + 1, 16 * checksumUnitBytes, 15 * checksumUnitBytes + 4_711])(
  'the checksum of %i bytes follows from those of their units',
  (lengthBytes) => {
    const bytes = patternOf(2, lengthBytes)
    expect(wholeChecksum(unitChecksums([bytes]), lengthBytes)).toBe(crc32c(bytes))
  },
)

test('what is written is cut into chunks of 1 MiB without a copy', () => {
  const bytes = new Uint8Array(2.5 * 1024 * 1024)
  const chunks = chunksOf(piecesOf(bytes, 700_000))
  expect(chunks.map((chunk) => chunk.reduce((sum, piece) => sum + piece.length, 0))).toEqual([
    1 << 20,
    1 << 20,
    1 << 19,
  ])
  expect(chunks.flat().every((piece) => piece.buffer === bytes.buffer)).toBe(true)
  expect(chunksOf([new Uint8Array(0)])).toEqual([])
})
