import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { digestOf } from '@o3/common/digest/node'
import type { ChecksumAlgorithm } from '@o3/protocol-bus/api'
import { describe, expect, test } from 'vitest'
import {
  checksumAlgorithms,
  checksumElement,
  checksumHeader,
  checksumName,
  checksumTypesOf,
  parseChecksumHeader,
  parseChecksumName,
  parseChecksumType,
} from '../../src/checksum/algorithms.ts'
import { decodeDigest, encodeBase64, encodeHex } from '../../src/checksum/base64.ts'
import { multipartChecksum, multipartEtag, shownChecksum } from '../../src/checksum/multipart.ts'
import { copyChecksum, uploadChecksum, wholeChecksum } from '../../src/checksum/request-checksum.ts'
import { S3Error } from '../../src/core/errors/s3-error.ts'

const base64 = (algorithm: ChecksumAlgorithm | 'md5', bytes: Uint8Array): string =>
  encodeBase64(digestOf(algorithm, bytes))

test.each(checksumAlgorithms)('%s has its names', (algorithm) => {
  expect(checksumHeader[algorithm]).toBe(`x-amz-checksum-${algorithm}`)
  expect(checksumElement[algorithm]).toBe(`Checksum${checksumName[algorithm]}`)
  expect(parseChecksumName(checksumName[algorithm])).toBe(algorithm)
  expect(parseChecksumName(algorithm)).toBe(algorithm)
  expect(parseChecksumHeader(checksumHeader[algorithm].toUpperCase())).toBe(algorithm)
})

test.each(['', 'MD5', 'CRC', 'CRC32 ', 'toString', 'SHA512'])('%j is no algorithm', (name) => {
  expect(parseChecksumName(name)).toBeUndefined()
  expect(parseChecksumHeader(`x-amz-checksum-${name}`)).toBeUndefined()
})

test('digests are read only as they are written', () => {
  fc.assert(
    fc.property(fc.constantFrom(...checksumAlgorithms, 'md5' as const), fc.uint8Array(), (algorithm, bytes) => {
      const digest = digestOf(algorithm, bytes)
      const text = encodeBase64(digest)
      expect([...(decodeDigest(text, algorithm) ?? [])]).toEqual([...digest])
      for (const wrong of [
        text.slice(1),
        `${text}=`,
        ` ${text}`,
        text.replace(/=+$/, ''),
        text.replace(/^./, '-'),
        `${text}\n`,
      ]) {
        expect(decodeDigest(wrong, algorithm)).toBeUndefined()
      }
    }),
  )
  // The last letter before the padding carries bits that nobody reads; only zeros are right.
  expect(decodeDigest('AAAAAA==', 'crc32')).toBeDefined()
  expect(decodeDigest('AAAAAB==', 'crc32')).toBeUndefined()
})

describe('of an upload', () => {
  const ask = (algorithm?: string, type?: string): ReadonlyMap<string, string> =>
    new Map([
      ...(algorithm === undefined ? [] : [['x-amz-checksum-algorithm', algorithm] as const]),
      ...(type === undefined ? [] : [['x-amz-checksum-type', type] as const]),
    ])

  test.each([
    [undefined, undefined, undefined],
    ['CRC32', undefined, { algorithm: 'crc32', type: 'composite' }],
    ['CRC32', 'FULL_OBJECT', { algorithm: 'crc32', type: 'full-object' }],
    ['CRC32C', undefined, { algorithm: 'crc32c', type: 'composite' }],
    ['CRC32C', 'COMPOSITE', { algorithm: 'crc32c', type: 'composite' }],
    ['CRC64NVME', undefined, { algorithm: 'crc64nvme', type: 'full-object' }],
    ['SHA1', undefined, { algorithm: 'sha1', type: 'composite' }],
    ['SHA256', 'COMPOSITE', { algorithm: 'sha256', type: 'composite' }],
  ])('%s %s', (algorithm, type, expected) => {
    expect(uploadChecksum(ask(algorithm, type))).toEqual(expected)
  })

  test.each([
    ['CRC64NVME', 'COMPOSITE', 'The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.'],
    ['SHA1', 'FULL_OBJECT', 'The FULL_OBJECT checksum type cannot be used with the sha1 checksum algorithm.'],
    ['SHA256', 'FULL_OBJECT', 'The FULL_OBJECT checksum type cannot be used with the sha256 checksum algorithm.'],
    ['CRC32', 'full_object', 'Value for x-amz-checksum-type header is invalid.'],
    [
      undefined,
      'COMPOSITE',
      'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    ],
    [
      'SHA512',
      undefined,
      'Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]',
    ],
  ])('%s %s is refused', (algorithm, type, message) => {
    const answer = uploadChecksum(ask(algorithm, type))
    expect(answer).toMatchObject({ code: 'InvalidRequest', message })
  })

  test('each algorithm starts with its default', () => {
    for (const algorithm of checksumAlgorithms) {
      expect(uploadChecksum(ask(checksumName[algorithm]))).toEqual({ algorithm, type: checksumTypesOf(algorithm)[0] })
    }
  })
})

test('of a copy', () => {
  expect(copyChecksum(new Map([['x-amz-checksum-algorithm', 'SHA1']]))).toBe('sha1')
  expect(copyChecksum(new Map())).toBeUndefined()
  expect(copyChecksum(new Map([['x-amz-checksum-algorithm', 'x']]))).toBeInstanceOf(S3Error)
})

describe('of a completed whole', () => {
  test.each([
    [{}, undefined],
    [{ 'x-amz-checksum-type': 'COMPOSITE' }, { type: 'composite' }],
    [{ 'x-amz-checksum-crc32': 'AAAAAA==' }, { algorithm: 'crc32', value: 'AAAAAA==' }],
    [{ 'x-amz-checksum-crc32': 'AAAAAA==-3' }, { algorithm: 'crc32', value: 'AAAAAA==' }],
    [
      { 'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA=', 'x-amz-checksum-type': 'FULL_OBJECT' },
      { algorithm: 'crc64nvme', value: 'AAAAAAAAAAA=', type: 'full-object' },
    ],
  ])('%j', (headers, expected) => {
    expect(wholeChecksum(new Map(Object.entries(headers)))).toEqual(expected)
  })

  test.each([
    { 'x-amz-checksum-crc32': 'AAAA' },
    { 'x-amz-checksum-crc32': 'AAAAAA==-' },
    { 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-crc32c': 'AAAAAA==' },
    { 'x-amz-checksum-type': 'WHOLE' },
  ])('%j is refused', (headers) => {
    expect(wholeChecksum(new Map(Object.entries(headers)))).toMatchObject({ code: 'InvalidRequest' })
  })
})

describe('a whole of parts', () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 6 })

  test('FULL_OBJECT is the checksum of the bytes', () => {
    fc.assert(
      fc.property(
        parts,
        fc.constantFrom('crc32' as const, 'crc32c' as const, 'crc64nvme' as const),
        (pieces, algorithm) => {
          const summed = pieces.map((piece) => ({ size: piece.length, value: base64(algorithm, piece) }))
          expect(multipartChecksum(algorithm, 'full-object', summed)).toEqual({
            algorithm,
            type: 'full-object',
            value: base64(algorithm, Buffer.concat(pieces)),
          })
        },
      ),
    )
  })

  test('COMPOSITE is the checksum of the checksums', () => {
    fc.assert(
      fc.property(parts, fc.constantFrom(...checksumAlgorithms), (pieces, algorithm) => {
        const summed = pieces.map((piece) => ({ size: piece.length, value: base64(algorithm, piece) }))
        const composite = multipartChecksum(algorithm, 'composite', summed)
        const digests = Buffer.concat(pieces.map((piece) => digestOf(algorithm, piece)))
        expect(composite.value).toBe(base64(algorithm, digests))
        expect(shownChecksum(composite, pieces.length)).toBe(`${composite.value}-${pieces.length}`)
      }),
    )
  })

  test('its ETag is the MD5 of the MD5s', () => {
    const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest()
    const pieces = [Buffer.from('a'), Buffer.from('b'), Buffer.from('')]
    const expected = md5(Buffer.concat(pieces.map(md5))).toString('hex')
    expect(multipartEtag(pieces.map((piece) => md5(piece).toString('hex')))).toBe(`${expected}-3`)
  })

  test('only a composite one shows how many parts', () => {
    expect(shownChecksum({ algorithm: 'crc32', type: 'full-object', value: 'AAAAAA==' }, 3)).toBe('AAAAAA==')
  })
})

test('hexadecimal is lower-case', () => {
  expect(encodeHex(Uint8Array.of(0, 0xab, 0xff))).toBe('00abff')
})

test('types are read as S3 writes them', () => {
  expect(['FULL_OBJECT', 'COMPOSITE', 'composite', ''].map(parseChecksumType)).toEqual([
    'full-object',
    'composite',
    undefined,
    undefined,
  ])
})
