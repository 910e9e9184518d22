/** The bytes of the payloads, which other releases must understand; and that handlers take whatever comes. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import { RpcClient, trustedClient } from '@o3/common/rpc'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maxChunkBytes } from '../../src/api/api.ts'
import { pagesOf, readListing } from '../../src/rpc/listing.ts'
import { exchanges, listings } from '../../src/rpc/methods.ts'
import { blockInfo } from '../../src/rpc/records.ts'
import type { Addressed, Codec, ItemCodec } from '../../src/rpc/records.ts'
import { MarkReader, RunReader, encodeMark, runHead, runsEnd } from '../../src/rpc/runs.ts'
import type { Mark } from '../../src/rpc/runs.ts'
import { withSimulatedWire } from '../harness/wire.ts'
import { exchangeSamples, itemSamples, listingRequests } from './samples.ts'

const golden = join(import.meta.dirname, 'testdata/payloads.golden.txt')
const marks: readonly Mark[] = [
  { kind: 'landed', totalBytes: 300 },
  { kind: 'committed', totalBytes: 2 ** 40 + 1 },
  { kind: 'aborted', totalBytes: 0 },
  {
    kind: 'committed',
    totalBytes: 7,
    receipt: { block: { container: 300, local: 7 }, lengthBytes: 7, datanodes: ['dn-1'], checksum: 0xdead_beef },
  },
]
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

interface Sample {
  readonly name: string
  readonly codec: Codec<unknown>
  readonly value: unknown
}

function samples(): readonly Sample[] {
  const addressed = (request: unknown): Addressed<unknown> => ({ datanode: 'dn-1', request })
  const ofExchanges = Object.entries(exchangeSamples).flatMap(([name, { requests, replies }]) => {
    const { request, reply } = exchanges[name as keyof typeof exchanges] as unknown as {
      readonly request: Codec<unknown>
      readonly reply: Codec<unknown>
    }
    return [
      ...requests.map((value): Sample => ({ name: `${name} request`, codec: request, value: addressed(value) })),
      ...replies.map((value): Sample => ({ name: `${name} reply`, codec: reply, value })),
    ]
  })
  const ofListings = Object.entries(listingRequests).map(([name, value]): Sample => {
    const codec = listings[name as keyof typeof listings].request as unknown as Codec<unknown>
    return { name: `${name} request`, codec, value: addressed(value) }
  })
  return [...ofExchanges, ...ofListings]
}

function encodeItem(codec: ItemCodec<unknown>, item: unknown): Uint8Array {
  const writer = new ByteWriter()
  codec.write(writer, item)
  return writer.finish()
}

const items = Object.entries(itemSamples).flatMap(([name, { codec, items: all }]) =>
  (all as readonly unknown[]).map((item) => ({ name, codec: codec as ItemCodec<unknown>, item })),
)

test('payloads have the bytes that they always had', () => {
  const lines = [
    ...samples().map(({ name, codec, value }) => `${name} ${hex(codec.encode(value))}`),
    ...items.map(({ name, codec, item }) => `item ${name} ${hex(encodeItem(codec, item))}`),
    ...[1, maxChunkBytes].map((length) => `run ${length} ${hex(runHead([new Uint8Array(length).fill(7)]))}`),
    ...(['commit', 'abort'] as const).map((end) => `run ${end} ${hex(runsEnd(end))}`),
    ...marks.map((mark) => `mark ${mark.kind} ${hex(encodeMark(mark))}`),
  ]
  // After a change on purpose, which is a new method: O3_REWRITE_GOLDEN=1 npx vitest run hdds/test/wire
  // oxlint-disable-next-line node/no-process-env -- the switch of a test
  if (process.env['O3_REWRITE_GOLDEN'] === '1') writeFileSync(golden, `${lines.join('\n')}\n`)
  expect(lines).toEqual(readFileSync(golden, 'utf8').trimEnd().split('\n'))
})

test.each(samples())('$name reads what it writes, no part of it, and nothing behind it', ({ codec, value }) => {
  const payload = codec.encode(value)
  expect(codec.decode(payload)).toEqual(value)
  for (let length = 0; length < payload.length; length++) {
    expect(() => codec.decode(payload.subarray(0, length))).toThrow(StoreError)
  }
  expect(() => codec.decode(Buffer.concat([payload, Buffer.of(0)]))).toThrow('follows')
  expect(() => codec.decode(Buffer.concat([Buffer.of(3), payload.subarray(1)]))).toThrow('version 3')
})

test.each(items)('a $name reads what it writes', ({ codec, item }) => {
  expect(codec.read(new ByteReader(encodeItem(codec, item)))).toEqual(item)
})

test('a number that is no id is refused', () => {
  const { request } = exchanges['hdds.openWriter.1']
  for (const block of [
    { container: 0, local: 1 },
    { container: 1, local: 0 },
    { container: 1, local: 2 ** 32 },
  ]) {
    expect(() => request.decode(request.encode({ datanode: 'dn-1', request: { block } }))).toThrow('is not between')
  }
})

describe('lists', () => {
  test('of any length are cut in pages and read however they were cut again', async () => {
    for (const count of [0, 1, 64, 65, 20_000]) {
      const all = Array.from({ length: count }, (_, i) => ({
        block: { container: 2 ** 40, local: i + 1 },
        lengthBytes: i,
      }))
      const pages = [...pagesOf(blockInfo, all)]
      for (const page of pages) expect(page.length).toBeLessThan(64 * 1024)
      const whole = Buffer.concat(pages)
      async function* pieces(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < whole.length; at += 777) yield whole.subarray(at, at + 777)
      }
      expect(await readListing(blockInfo, pieces())).toEqual(all)
    }
  })

  test('without an end are given up', async () => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      const page = new Uint8Array(1024 * 1024).fill(1)
      for (;;) yield page
    }
    await expect(readListing(blockInfo, endless())).rejects.toMatchObject({ code: 'TooLarge' })
  })
})

test('runs and marks are read however they are cut', async () => {
  const runs = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 10 })
  const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(runs, cuts, fc.constantFrom('commit', 'abort'), async (written, sizes, end) => {
      const sent = Buffer.concat([...written.flatMap((run) => [runHead([run]), run]), runsEnd(end)])
      const reader = new RunReader(inPieces(sent, sizes))
      for (const run of written) {
        const read = await reader.next()
        expect(read).toMatchObject({ kind: 'data', lengthBytes: run.length })
        expect(Buffer.concat(read.kind === 'data' ? read.pieces : [])).toEqual(Buffer.from(run))
      }
      expect(await reader.next()).toEqual({ kind: end })
      const answers = new MarkReader(inPieces(Buffer.concat(marks.map(encodeMark)), sizes))
      for (const mark of marks) expect(await answers.next()).toEqual(mark)
      await expect(answers.next()).rejects.toMatchObject({ code: 'IncompleteBody' })
    }),
  )
})

async function* inPieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    yield bytes.subarray(at, at + size)
    at += size
  }
}

test('whatever is sent to a method is answered, and the datanode goes on', async () => {
  const names = [...Object.keys(exchanges), ...Object.keys(listings)]
  const good = samples().filter(({ name }) => name.endsWith('request'))
  const whatever = fc.record({
    name: fc.constantFrom(...names),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((noise) => Buffer.concat([Buffer.of(1), noise])),
      fc
        .tuple(fc.constantFrom(...good), fc.nat(), fc.integer({ min: 0, max: 255 }))
        .map(([{ codec, value }, at, byte]) => {
          const payload = Uint8Array.from(codec.encode(value))
          payload[at % payload.length] = byte
          return payload
        }),
      fc.constantFrom(...good).map(({ codec, value }) => codec.encode(value)),
    ),
    body: fc.option(
      fc.oneof(
        fc.uint8Array({ maxLength: 5000 }),
        fc.constant(runHead([new Uint8Array(10)])),
        fc.constant(runsEnd('commit')),
      ),
    ),
  })
  await withSimulatedWire(async ({ env, address, datanode, local, machine }) => {
    const raw = new RpcClient({ ...env, address, authentication: trustedClient })
    const calls = fc.sample(whatever, { numRuns: 400, seed: 7 })
    for (const { name, payload, body } of calls) {
      try {
        const result = await raw.call(name, payload, { deadlineMs: 10_000, ...(body === null ? {} : { body }) })
        for await (const _ of result.body ?? []);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        expect(['Internal', 'DeadlineExceeded', 'OutcomeUnknown']).not.toContain(error.code)
      }
    }
    raw.close()
    const bytes = Uint8Array.of(1, 2, 3)
    const block = { container: 77, local: 1 }
    await datanode.writeBlock(block, [bytes])
    expect(await datanode.readSmall(block, { offset: 0, length: 3 })).toEqual(bytes)
    // Nobody is left writing: every container closes.
    for (const { id } of local.containers()) await local.closeContainer(id)
    expect(machine.node.isUp).toBe(true)
  })
})
