import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeHeader, encodeHeader } from '../../src/core/record.ts'
import type { HeaderProof, RecordHeader } from '../../src/core/record.ts'
import { headerBytes, maxHeaderBytes, unitCount } from '../../src/core/record-layout.ts'
import { crc32c } from '../../src/storage/checksum.ts'

const proof: HeaderProof = { crc: crc32c, seed: 0x12345678 }

const block: RecordHeader = {
  kind: 'data',
  container: 17,
  generation: 2,
  local: 42,
  whole: true,
  length: 5,
  blockOffset: 0,
  fileOffset: 4160,
  floor: 4096,
  checksums: [0xdeadbeef],
}

function encode(header: RecordHeader): Uint8Array {
  const bytes = new Uint8Array(maxHeaderBytes)
  return bytes.subarray(0, encodeHeader(header, bytes, 0, proof))
}

const headers = fc
  .record({
    kind: fc.constantFrom('data', 'commit', 'tombstone', 'seal'),
    container: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    generation: fc.integer({ min: 1, max: 0xffff_ffff }),
    local: fc.integer({ min: 0, max: 0xffff_ffff }),
    whole: fc.boolean(),
    length: fc.integer({ min: 0, max: 1 << 20 }),
    blockOffset: fc.integer({ min: 0, max: 2 ** 48 }),
    fileOffset: fc.integer({ min: 0, max: 2 ** 40 }),
    floor: fc.integer({ min: 0, max: 2 ** 40 }),
  })
  .chain((header) =>
    fc
      .array(fc.integer({ min: 0, max: 0xffff_ffff }), {
        minLength: unitCount(header.length),
        maxLength: unitCount(header.length),
      })
      .map((checksums): RecordHeader => ({ ...header, checksums })),
  )

describe('the record header', () => {
  test('version 1 is these bytes', () => {
    expect(
      Buffer.from(encode(block))
        .toString('hex')
        .replace(/(.{8})/g, '$1 ')
        .trim(),
    ).toBe(
      [
        '4f334352 01010101', // O3CR, version, data, whole, one unit
        '11000000 00000000 02000000 2a000000 05000000', // container, generation, local, length
        '00000000 00000000 40100000 00000000 00100000 00000000', // offset in block, in file, floor
        'efbeadde e59b8314', // unit checksum, header checksum
      ].join(' '),
    )
  })

  test('comes back as it was', () => {
    fc.assert(
      fc.property(headers, (header) => {
        const bytes = encode(header)
        expect(bytes.length).toBe(headerBytes(unitCount(header.length)))
        expect(decodeHeader(bytes, 0, proof)).toEqual(header)
      }),
    )
  })

  test('with any bit flipped is refused', () => {
    const bytes = encode(block)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Uint8Array.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(decodeHeader(flipped, 0, proof), `bit ${bit}`).toBeUndefined()
    }
  })

  test('of another file is refused', () => {
    expect(decodeHeader(encode(block), 0, { crc: crc32c, seed: proof.seed + 1 })).toBeUndefined()
  })

  test('cut short is refused', () => {
    const bytes = encode(block)
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeHeader(bytes.subarray(0, length), 0, proof)).toBeUndefined()
    }
  })
})
