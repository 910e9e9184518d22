import { describe, expect, test } from 'vitest'
import { BoundedStream } from '../../src/body/bounded-stream.ts'
import { storedContentEncoding } from '../../src/body/content-encoding.ts'
import { DecodedStream } from '../../src/body/decoded-stream.ts'
import { ChunkDecoder } from '../../src/core/body/chunk-decoder.ts'

/** Pieces, and whether their reader let go of them. */
function lent(pieces: readonly string[]) {
  const state = { released: false }
  async function* stream(): AsyncGenerator<Uint8Array> {
    try {
      for (const piece of pieces) yield Buffer.from(piece)
    } finally {
      state.released = true
    }
  }
  return { state, stream: stream() }
}

const unsignedDecoder = (decodedLength: number): ChunkDecoder =>
  new ChunkDecoder(
    { signed: false, trailer: true, decodedLength },
    { data: () => undefined, chunkEnd: () => undefined, trailers: () => undefined },
  )

async function text(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream) pieces.push(new Uint8Array(piece))
  return Buffer.concat(pieces).toString()
}

describe('a decoded stream', () => {
  test('gives the bytes of many chunks in one piece, and of one chunk in many', async () => {
    const { stream } = lent(['1\r\na\r\n2\r\nbc\r\n3\r\nd', 'e', 'f\r', '\n', '0\r\n\r\n'])
    expect(await text(new DecodedStream(stream, unsignedDecoder(6)))).toBe('abcdef')
  })

  test('lets go of its source when it finds a fault', async () => {
    const { stream, state } = lent(['1\r\na\r\n', 'zz\r\n', 'never'])
    const decoded = new DecodedStream(stream, unsignedDecoder(6))
    await expect(text(decoded)).rejects.toMatchObject({ code: 'IncompleteBody' })
    expect(state.released).toBe(true)
  })

  test('lets go of its source when its reader stops', async () => {
    const { stream, state } = lent(['1\r\na\r\n', '1\r\nb\r\n'])
    for await (const piece of new DecodedStream(stream, unsignedDecoder(6))) {
      expect(Buffer.from(piece).toString()).toBe('a')
      break
    }
    expect(state.released).toBe(true)
  })
})

describe('a bounded stream', () => {
  test('passes what fits', async () => {
    expect(await text(new BoundedStream(lent(['ab', 'cd']).stream, 4))).toBe('abcd')
  })

  test('ends with the piece that does not fit, and lets go', async () => {
    const { stream, state } = lent(['ab', 'cd', 'ef'])
    await expect(text(new BoundedStream(stream, 3))).rejects.toMatchObject({ code: 'EntityTooLarge' })
    expect(state.released).toBe(true)
  })

  test('lets go when its reader stops', async () => {
    const { stream, state } = lent(['ab', 'cd'])
    for await (const piece of new BoundedStream(stream, 4)) {
      expect(piece.length).toBe(2)
      break
    }
    expect(state.released).toBe(true)
  })
})

test.each([
  [undefined, undefined],
  ['', undefined],
  ['aws-chunked', undefined],
  ['AWS-Chunked', undefined],
  ['gzip', 'gzip'],
  ['gzip, br', 'gzip, br'],
  ['aws-chunked,gzip', 'gzip'],
  ['gzip, aws-chunked', 'gzip'],
  ['gzip,aws-chunked, br', 'gzip,br'],
  ['not-aws-chunked', 'not-aws-chunked'],
])('content encoding %j is stored as %j', (value, expected) => {
  expect(storedContentEncoding(value)).toBe(expected)
})
