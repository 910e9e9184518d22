import { maxPageBytes } from '@o3/common/codec/record'
import { decode, encode } from '@o3/common/codec/record'
import type { Codec } from '@o3/common/codec/record'
import { describe, expect, test } from 'vitest'
import * as commandCodec from '../../src/rpc/commands.ts'
import { omMethods } from '../../src/rpc/rpc.ts'
import * as records from '../../src/rpc/records.ts'
import { calls, commands, newContents } from './samples.ts'

interface Sample {
  readonly name: string
  readonly codec: Codec<unknown>
  readonly value: unknown
}

const sample = <T>(name: string, codec: Codec<T>, value: T): Sample => ({ name, codec: codec as Codec<unknown>, value })

const samples: readonly Sample[] = [
  ...Object.entries(omMethods).flatMap(([name, method]) => {
    const { request, reply } = calls[name as keyof typeof calls]
    return [
      sample(`${name} request`, method.request as Codec<unknown>, request),
      sample(`${name} reply`, method.reply as Codec<unknown>, reply),
    ]
  }),
  ...Object.values(commands).map((command) => sample(`command ${command.kind}`, commandCodec.command, command)),
  ...Object.values(newContents).map((content) => sample(`content ${content.kind}`, records.newContent, content)),
]

describe('the bytes of OM on the wire', () => {
  test.each(samples)('are read as they were written: $name', ({ codec, value }) => {
    expect(decode(codec, encode(codec, value))).toEqual(value)
  })

  test('are those of the releases before', async () => {
    const lines = samples.map(
      ({ name, codec, value }) => `${name}\n  ${Buffer.from(encode(codec, value)).toString('hex')}\n`,
    )
    await expect(lines.join('')).toMatchFileSnapshot('testdata/wire.golden.txt')
  })

  test('cut short are refused', () => {
    for (const { name, codec, value } of samples) {
      const bytes = encode(codec, value)
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decode(codec, bytes.subarray(0, length)), `${name}, ${length} bytes`).toThrow(
          expect.objectContaining({ code: 'InvalidArgument' }) as Error,
        )
      }
    }
  })

  test('with a version to come are refused', () => {
    for (const { codec, value } of samples) {
      const bytes = encode(codec, value).slice()
      bytes[0] = 2
      expect(() => decode(codec, bytes)).toThrow(expect.objectContaining({ code: 'InvalidArgument' }) as Error)
    }
  })
})

test('text that is no Unicode arrives as it was sent', () => {
  for (const key of ['\ud800', 'a\udfffb', '\udc00\ud800', '\ud83d\ude00\ud83d', 'é\u{10ffff}\ud800']) {
    const ref = { volume: 'vol', bucket: 'b', key }
    expect(decode(records.keyRef, encode(records.keyRef, ref))).toEqual(ref)
  }
})

test('a page that would be too large ends early', () => {
  const { codec, items } = {
    codec: omMethods['om.audit.1'].reply,
    items: Array.from({ length: 10 }, () => 'x'.repeat(1e6)),
  }
  const bytes = encode(codec, { items, truncated: false })
  expect(bytes.length).toBeLessThan(maxPageBytes + 100)
  expect(decode(codec, bytes)).toEqual({ items: items.slice(0, 3), truncated: true })
})
