/** The bytes of the payloads, which other releases must understand; and that every call reads what it writes. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { calls } from '../src/core/calls.ts'
import type { Call, Method } from '../src/core/calls.ts'
import { decode, encode } from '../src/core/codec.ts'
import { RunDecoder, endOf, runOf } from '../src/core/runs.ts'
import { maxPageBytes, pageOf } from '../src/core/records.ts'
import { text } from '../src/core/codec.ts'
import { samples } from './samples.ts'

const golden = join(import.meta.dirname, 'testdata/payloads.golden.txt')

function lines(): string[] {
  return Object.entries(samples).flatMap(([method, { requests, replies }]) => {
    const { request, reply } = calls[method as Method] as Call<unknown, unknown>
    const line = (way: string, codec: typeof request, value: unknown): string =>
      `${method} ${way} ${Buffer.from(encode(codec, value)).toString('hex')}`
    return [
      ...requests.map((value) => line('request', request, value)),
      ...replies.map((value) => line('reply', reply, value)),
    ]
  })
}

test('payloads have the bytes that they always had', () => {
  // After a change on purpose, which is a new method: O3_REWRITE_GOLDEN=1 npx vitest run plugins/native
  // oxlint-disable-next-line node/no-process-env -- the switch of a test
  if (process.env['O3_REWRITE_GOLDEN'] === '1') writeFileSync(golden, `${lines().join('\n')}\n`)
  expect(lines()).toEqual(readFileSync(golden, 'utf8').trimEnd().split('\n'))
})

describe.each(Object.entries(samples))('%s', (method, { requests, replies }) => {
  const { request, reply } = calls[method as Method] as Call<unknown, unknown>

  test('reads what it writes', () => {
    for (const value of requests) expect(decode(request, encode(request, value))).toEqual(value)
    for (const value of replies) expect(decode(reply, encode(reply, value))).toEqual(value)
  })

  test('reads no part of it, and nothing behind it', () => {
    const payload = encode(request, requests[0])
    for (let length = 0; length < payload.length; length++) {
      expect(() => decode(request, payload.subarray(0, length))).toThrow('cannot be read')
    }
    expect(() => decode(request, Buffer.concat([payload, Buffer.of(0)]))).toThrow('cannot be read')
  })
})

test('noise is refused, and never costs more than it is', () => {
  const methods = Object.keys(calls) as Method[]
  fc.assert(
    fc.property(fc.constantFrom(...methods), fc.uint8Array({ maxLength: 200 }), (method, noise) => {
      const { request } = calls[method] as Call<unknown, unknown>
      try {
        decode(request, Buffer.concat([Buffer.of(1), noise]))
      } catch (error) {
        expect(error).toMatchObject({ code: 'InvalidArgument' })
      }
    }),
    { numRuns: 500 },
  )
})

test('runs are read however they are cut', () => {
  const piece = fc.uint8Array({ minLength: 1, maxLength: 50 })
  fc.assert(
    fc.property(fc.array(piece), fc.uint8Array(), fc.array(fc.integer({ min: 1, max: 9 })), (pieces, trailer, cuts) => {
      const sent = Buffer.concat([...pieces.map(runOf), endOf(trailer)])
      const decoder = new RunDecoder()
      const received: Uint8Array[] = []
      let at = 0
      for (const cut of [...cuts, sent.length]) {
        decoder.push(sent.subarray(at, at + cut))
        at += cut
        for (let run = decoder.next(); run !== undefined; run = decoder.next()) received.push(run)
      }
      expect(Buffer.concat(received)).toEqual(Buffer.concat(pieces))
      expect(Buffer.from(decoder.finish())).toEqual(Buffer.from(trailer))
    }),
  )
})

test('a page that is too long for an answer ends early and says so', () => {
  const codec = pageOf(text)
  const items = Array.from({ length: 40 }, (_, i) => `${i} ${'x'.repeat(100_000)}`)
  const encoded = encode(codec, { items, truncated: false })
  expect(encoded.length).toBeLessThan(maxPageBytes + 1000)
  const page = decode(codec, encoded)
  expect(page.truncated).toBe(true)
  expect(page.items).toEqual(items.slice(0, page.items.length))
  expect(page.items.length).toBeGreaterThan(10)
  const one = { items: ['y'.repeat(maxPageBytes + 1)], truncated: false }
  expect(decode(codec, encode(codec, one))).toEqual(one)
})
