import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { combineCrcs, crcAlgorithms, digestAlgorithms, digestSizeBytes } from '../../src/digest/digest.ts'
import { createDigest, createDigests, digestOf } from '../../src/digest/node-digest.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const anyBytes = fc.uint8Array({ maxLength: 300 })

/** "123456789" for the CRCs, as the catalogues have it; "" and "abc" of RFC 1321 and FIPS 180 for the others. */
const known = [
  ['crc32', '123456789', 'cbf43926'],
  ['crc32c', '123456789', 'e3069283'],
  ['crc64nvme', '123456789', 'ae8b14860a799888'],
  ['crc32', '', '00000000'],
  ['crc32c', '', '00000000'],
  ['crc64nvme', '', '0000000000000000'],
  ['md5', '', 'd41d8cd98f00b204e9800998ecf8427e'],
  ['md5', 'abc', '900150983cd24fb0d6963f7d28e17f72'],
  ['sha1', 'abc', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
  ['sha256', 'abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
] as const

describe('known values', () => {
  test.each(known)('%s of "%s"', (algorithm, text, expected) => {
    const streamed = createDigest(algorithm)
    streamed.update(bytesOf(text))
    expect(hex(digestOf(algorithm, bytesOf(text)))).toBe(expected)
    expect(hex(streamed.finish())).toBe(expected)
  })
})

describe.each(digestAlgorithms)('%s', (algorithm) => {
  test('of pieces is that of the whole, also when two run at the same time', () => {
    fc.assert(
      fc.property(fc.array(anyBytes, { maxLength: 8 }), fc.array(anyBytes, { maxLength: 8 }), (pieces, others) => {
        const [a, b] = [createDigest(algorithm), createDigest(algorithm)]
        for (let i = 0; i < Math.max(pieces.length, others.length); i++) {
          if (pieces[i]) a.update(pieces[i]!)
          if (others[i]) b.update(others[i]!)
        }
        // In between: it must not disturb what is under way.
        digestOf(algorithm, bytesOf('noise'))
        expect(hex(b.finish())).toBe(hex(digestOf(algorithm, Buffer.concat(others))))
        expect(hex(a.finish())).toBe(hex(digestOf(algorithm, Buffer.concat(pieces))))
      }),
    )
  })

  test('reads a view of shared memory in place', () => {
    fc.assert(
      fc.property(anyBytes, fc.nat(50), (bytes, offset) => {
        const shared = new Uint8Array(new SharedArrayBuffer(400), offset, bytes.length)
        shared.set(bytes)
        const streamed = createDigest(algorithm)
        streamed.update(shared)
        expect(hex(streamed.finish())).toBe(hex(digestOf(algorithm, bytes)))
        expect(hex(digestOf(algorithm, shared))).toBe(hex(digestOf(algorithm, bytes)))
      }),
    )
  })

  test('is a plain array of its size', () => {
    const digest = digestOf(algorithm, bytesOf('x'))
    expect(digest.length).toBe(digestSizeBytes[algorithm])
    expect(Object.getPrototypeOf(digest)).toBe(Uint8Array.prototype)
  })
})

test('a set gives each algorithm that was asked for, once', () => {
  const set = createDigests(['md5', 'crc32c', 'md5'])
  set.update(bytesOf('123456789'))
  const digests = set.finish()
  expect(Object.keys(digests)).toEqual(['md5', 'crc32c'])
  expect(hex(digests.md5!)).toBe(createHash('md5').update('123456789').digest('hex'))
})

describe.each(crcAlgorithms)('%s of parts', (algorithm) => {
  const partOf = (bytes: Uint8Array) => ({ crc: digestOf(algorithm, bytes), sizeBytes: bytes.length })

  test('combines to that of the whole', () => {
    fc.assert(
      fc.property(fc.array(anyBytes, { maxLength: 10 }), (parts) => {
        const combined = combineCrcs(algorithm, parts.map(partOf))
        expect(hex(combined)).toBe(hex(digestOf(algorithm, Buffer.concat(parts))))
      }),
    )
  })

  test('combines in any grouping', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, anyBytes, (a, b, c) => {
        const front = { crc: combineCrcs(algorithm, [partOf(a), partOf(b)]), sizeBytes: a.length + b.length }
        expect(hex(combineCrcs(algorithm, [front, partOf(c)]))).toBe(
          hex(combineCrcs(algorithm, [partOf(a), partOf(b), partOf(c)])),
        )
      }),
    )
  })

  test('holds for the largest upload: 10,000 parts, and sizes beyond 2^32', () => {
    const zeros = digestOf(algorithm, new Uint8Array(1024))
    const parts = Array.from({ length: 10_000 }, () => ({ crc: zeros, sizeBytes: 1024 }))
    expect(hex(combineCrcs(algorithm, parts))).toBe(hex(digestOf(algorithm, new Uint8Array(10_000 * 1024))))
    // 2^40 bytes as one part after a first byte, or as two halves: the same polynomial.
    const half = { crc: zeros, sizeBytes: 2 ** 39 }
    const first = partOf(bytesOf('a'))
    const halves = { crc: combineCrcs(algorithm, [half, half]), sizeBytes: 2 ** 40 }
    expect(hex(combineCrcs(algorithm, [first, half, half]))).toBe(hex(combineCrcs(algorithm, [first, halves])))
  })

  test('of none is that of nothing', () => {
    expect(hex(combineCrcs(algorithm, []))).toBe(hex(digestOf(algorithm, new Uint8Array(0))))
  })
})
