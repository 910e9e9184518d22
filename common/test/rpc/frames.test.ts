import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isStoreError, StoreError } from '../../src/errors.ts'
import { FrameDecoder } from '../../src/rpc/frame-decoder.ts'
import { endOfBody, frameKinds, hasBody } from '../../src/rpc/frame.ts'
import type { FrameKind, OutgoingFrame } from '../../src/rpc/frame.ts'
import {
  decodeCallHead,
  decodeCredit,
  decodeError,
  decodeHello,
  decodeWelcome,
  encodeCallHead,
  encodeCredit,
  encodeError,
  encodeHello,
  encodeWelcome,
} from '../../src/rpc/messages.ts'
import { frameBytes } from './raw-frames.ts'
import { bytes } from './worlds.ts'

const limits = { maxHeaderBytes: 300, maxBodyBytes: 300 }
const hex = (content: Uint8Array): string => Buffer.from(content).toString('hex')

interface Seen {
  readonly kind: number
  readonly flags: number
  readonly callId: number
  readonly header: string
  body: string
  places: string[]
}

function decode(chunks: readonly Uint8Array[]): { seen: Seen[]; decoder: FrameDecoder } {
  const seen: Seen[] = []
  const decoder = new FrameDecoder(limits, {
    onFrame: ({ kind, flags, callId, header }) =>
      seen.push({ kind, flags, callId, header: hex(header), body: '', places: [] }),
    onBody: (piece, place) => {
      seen.at(-1)!.body += hex(piece)
      seen.at(-1)!.places.push(place)
    },
  })
  for (const chunk of chunks) decoder.push(chunk)
  return { seen, decoder }
}

const anyFrame: fc.Arbitrary<OutgoingFrame> = fc.record({
  kind: fc.constantFrom(...Object.values(frameKinds)),
  flags: fc.constantFrom(0, hasBody, endOfBody, hasBody | endOfBody),
  callId: fc.nat(0xffffffff),
  header: fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 3 }),
  body: fc.uint8Array({ maxLength: 300 }),
})

/** The same bytes, cut at these places. */
function cut(stream: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (stream.length + 1)), stream.length].toSorted((a, b) => a - b)
  return at.slice(1).map((end, i) => stream.subarray(at[i], end))
}

describe('the decoder', () => {
  test('gives the frames that were sent, however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 6 }), fc.array(fc.nat(5000), { maxLength: 12 }), (frames, places) => {
        const stream = Uint8Array.from(Buffer.concat(frames.map(frameBytes)))
        const { seen, decoder } = decode(cut(stream, places))
        expect(seen.map(({ places: _, ...frame }) => frame)).toEqual(
          frames.map(({ kind, flags, callId, header, body }) => ({
            kind,
            flags,
            callId,
            header: hex(Buffer.concat(header!)),
            body: hex(body!),
          })),
        )
        frames.forEach(({ body }, i) => {
          const lasts = seen[i]!.places.map((place) => place === 'last')
          expect(lasts).toEqual(lasts.map((_, k) => k === lasts.length - 1))
          expect(lasts.length > 0).toBe(body!.length > 0)
        })
        expect(decoder.isBetweenFrames).toBe(true)
      }),
    )
  })

  test('does not copy what came in one piece', () => {
    const chunk = frameBytes({ kind: frameKinds.data, callId: 1, header: [bytes('h')], body: bytes('body') })
    const pieces: Uint8Array[] = []
    const decoder = new FrameDecoder(limits, {
      onFrame: ({ header }) => pieces.push(header),
      onBody: (piece) => pieces.push(piece),
    })
    decoder.push(chunk)
    expect(pieces.map(({ buffer }) => buffer)).toEqual([chunk.buffer, chunk.buffer])
  })

  test('knows when it is inside a frame', () => {
    const stream = frameBytes({ kind: frameKinds.call, callId: 1, header: [bytes('head')], body: bytes('body') })
    for (let end = 1; end < stream.length; end++) {
      expect(decode([stream.subarray(0, end)]).decoder.isBetweenFrames, `after ${end} bytes`).toBe(false)
    }
  })

  test.each([
    ['a header beyond the limit', { header: [new Uint8Array(301)] }, 'TooLarge'],
    ['a body beyond the limit', { body: new Uint8Array(301) }, 'TooLarge'],
    ['an unknown kind', { kind: 13 as FrameKind }, 'InvalidArgument'],
    ['an unknown flag', { flags: 0x40 }, 'InvalidArgument'],
  ])('refuses %s by its first 13 bytes', (_, change, code) => {
    const stream = frameBytes({ kind: frameKinds.call, callId: 1, ...change })
    expect(() => decode([stream.subarray(0, 13)])).toThrowError(expect.objectContaining({ code }))
  })

  test('takes noise for frames or refuses it, and does nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 }), (noise) => {
        try {
          decode(noise)
        } catch (error) {
          expect(isStoreError(error, 'TooLarge', 'InvalidArgument')).toBe(true)
        }
      }),
    )
  })
})

describe('the headers', () => {
  const allowance = { maxHeaderBytes: 4_195_328, maxBodyBytes: 262_144, windowBytes: 1_048_576 }
  const hello = { lowestVersion: 1, highestVersion: 1, allowance, credentials: bytes('hi') }
  const welcome = { version: 1, allowance, maxConcurrentCalls: 1024, credentials: bytes('ho') }

  test('are read as they were written', () => {
    expect(decodeHello(encodeHello(hello))).toEqual(hello)
    expect(decodeWelcome(encodeWelcome(welcome))).toEqual(welcome)
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.option(fc.integer({ min: 1, max: 1e12 }), { nil: undefined }),
        fc.uint8Array(),
        (method, deadlineMs, payload) => {
          const header = Uint8Array.from(Buffer.concat([encodeCallHead(method, deadlineMs), payload]))
          expect(decodeCallHead(header)).toEqual({ method, deadlineMs, payload })
        },
      ),
    )
    fc.assert(fc.property(fc.maxSafeNat(), (credit) => decodeCredit(encodeCredit(credit)) === credit))
  })

  // Version 1 as it is on the wire: a change here needs a new version.
  test.each([
    ['hello', encodeHello(hello), '4f33525001018088800280801080804002' + hex(bytes('hi'))],
    ['welcome', encodeWelcome(welcome), '4f335250018088800280801080804080080' + '2' + hex(bytes('ho'))],
    ['call', encodeCallHead('keys.get.1', 30_000), 'b0ea010a' + hex(bytes('keys.get.1'))],
    ['credit', encodeCredit(524_288), '808020'],
    ['error', encodeError({ code: 'Busy', message: 'no' }), '1e' + hex(bytes('{"code":"Busy","message":"no"}'))],
    [
      'frame',
      frameBytes({ kind: frameKinds.data, flags: endOfBody, callId: 7, body: bytes('xyz') }),
      '00000000030000000700000026' + hex(bytes('xyz')),
    ],
  ])('%s is what it was', (_, encoded, golden) => {
    expect(hex(encoded)).toBe(golden)
  })

  test('a deadline that has passed is still a deadline', () => {
    expect(decodeCallHead(encodeCallHead('m', 0)).deadlineMs).toBe(1)
    expect(decodeCallHead(encodeCallHead('m', 0.2)).deadlineMs).toBe(1)
  })

  test('an error that we do not know is Internal and keeps its name', () => {
    const record = { code: 'FromTheFuture', message: 'm', details: { a: 1, nested: { b: 2 } } }
    const error = decodeError(encodeError(record as never))
    expect(error.toRecord()).toEqual({ code: 'Internal', message: 'm', details: { a: 1, code: 'FromTheFuture' } })
  })

  test('a peer that is none is Incompatible', () => {
    for (const decodeGreeting of [decodeHello, decodeWelcome]) {
      expect(() => decodeGreeting(bytes('GET / HTTP/1.1'))).toThrowError(
        expect.objectContaining({ code: 'Incompatible' }),
      )
      expect(() => decodeGreeting(bytes('O3'))).toThrowError(expect.objectContaining({ code: 'Incompatible' }))
    }
  })

  test('noise is refused with a StoreError', () => {
    const decoders = [decodeHello, decodeWelcome, decodeCallHead, decodeCredit, decodeError]
    fc.assert(
      fc.property(fc.uint8Array(), fc.constantFrom(...decoders), (noise, decodeNoise) => {
        try {
          decodeNoise(noise)
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError)
        }
      }),
    )
  })
})
