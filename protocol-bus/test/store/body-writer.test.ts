import { ChunkPool } from '@o3/common/digest/chunks'
import { digestOf } from '@o3/common/digest/node'
import { DigestPool } from '@o3/common/digest/pool'
import { nodeEnv } from '@o3/common/env/node'
import { StoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import type { NewContent } from '@o3/om/api'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { ByteSource, ReplicationConfig } from '../../src/api/api.ts'
import { authorize } from '../../src/core/authorize.ts'
import type { Grant } from '../../src/core/authorize.ts'
import { BodyWriter } from '../../src/store/body-writer.ts'
import type { BodyOptions, WrittenBody } from '../../src/store/body-writer.ts'
import type { LeaseHolder } from '../../src/store/lease-holder.ts'
import { LeaseHolders } from '../../src/store/lease-holders.ts'
import { MemoryBlocks, MemoryLeases, nameOf } from './memory-blocks.ts'

const chunkBytes = 8192
const blockBytes = 4 * chunkBytes
const { clock, tasks } = nodeEnv()
const digests = new DigestPool()
afterAll(() => digests.close())

function grantFor(replication: ReplicationConfig): Grant<'key:write'> {
  const bucket = { volume: 'v', name: 'b', owner: 'root', members: {}, replication }
  return authorize({ user: 'root', admin: true }, 'key:write', { kind: 'bucket', bucket }) as Grant<'key:write'>
}
const grant = grantFor('RATIS/ONE')

let blocks: MemoryBlocks
let om: MemoryLeases
let chunks: ChunkPool
let writer: BodyWriter

beforeEach(() => {
  blocks = new MemoryBlocks()
  om = new MemoryLeases(() => clock.wallMs())
  om.termMs = 600_000
  chunks = new ChunkPool({ chunkSizeBytes: chunkBytes, maxChunks: 4 })
  const holders = new LeaseHolders({ om, clock, tasks, log: nullLogger, holder: 'me', batch: 4 })
  const leases = (replication: ReplicationConfig): LeaseHolder => holders.of(replication)
  writer = new BodyWriter({ blocks, leases, chunks, digests, blockBytes, maxBodyBytes: 100_000 })
})

const write = async (body: ByteSource, options: Partial<BodyOptions> = {}): Promise<WrittenBody> =>
  writer.write(grant, body, { digests: ['md5'], ...options })

function pattern(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => i % 251)
}

async function* pieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** What a reader of the content would get. */
function stored(content: NewContent): Uint8Array {
  if (content.kind === 'inline') return content.bytes
  if (content.kind === 'copy') throw new Error('no body is a copy')
  const parts = content.kind === 'leased' ? [content] : content.pieces
  return Buffer.concat(
    parts.flatMap(({ lease, extents }) =>
      extents.map(({ block, length }) => {
        expect(om.live.get(lease)?.ranges.some(({ container }) => container === block.container)).toBe(true)
        const bytes = blocks.committed.get(nameOf(block))!
        expect(bytes.length).toBe(length)
        return bytes
      }),
    ),
  )
}

function expectNothingHeld(): void {
  expect(chunks.inUse).toBe(0)
  expect(chunks.waiting).toBe(0)
  expect(blocks.openWriters).toBe(0)
}

describe('a body lies where it belongs', () => {
  test.each([
    [0, 'inline', 0],
    [4096, 'inline', 0],
    [4097, 'leased', 1],
    [chunkBytes, 'leased', 1],
    [chunkBytes + 1, 'leased', 1],
    [blockBytes, 'leased', 1],
    [blockBytes + 1, 'leased', 2],
    [99_999, 'leased', 4],
  ] as const)('%d bytes: %s, %d blocks', async (size, kind, count) => {
    const bytes = pattern(size)
    const written = await write(pieces(bytes))
    expect(written.content.kind).toBe(kind)
    expect(blocks.committed.size).toBe(count)
    expect(Buffer.compare(stored(written.content), bytes)).toBe(0)
    expect(written).toMatchObject({ size, digests: { md5: digestOf('md5', bytes) } })
    expectNothingHeld()
  })

  test('in blocks that are replicated as its bucket wants it', async () => {
    for (const replication of ['RATIS/THREE', 'RATIS/ONE', 'EC/rs-3-2-1024k'] as const) {
      const asked = grantFor(replication)
      for (const size of [4097, 99_999]) {
        const { content } = await writer.write(asked, pieces(pattern(size)), { digests: [] })
        const leases = content.kind === 'leased' ? [content] : content.kind === 'leased-many' ? content.pieces : []
        expect(leases).not.toEqual([])
        for (const { lease } of leases) expect(om.live.get(lease)?.replication).toBe(replication)
      }
    }
  })

  test('in pieces of any size', async () => {
    const bytes = pattern(50_000)
    for (const size of [1, 7, 8191, 8192, 8193, 50_000]) {
      expect(Buffer.compare(stored((await write(pieces(bytes, size))).content), bytes)).toBe(0)
    }
    expectNothingHeld()
  })

  test('across leases, in the order of its bytes', async () => {
    const bytes = pattern(99_999)
    for (let i = 0; i < 3; i++) await write(bytes)
    const { content } = await write(bytes)
    expect(Buffer.compare(stored(content), bytes)).toBe(0)
  })

  test('in another container, when the first one is closed', async () => {
    om.containers = () => [1, 2]
    blocks.closed.add(1)
    for (const size of [5000, 60_000]) {
      const { content } = await write(pieces(pattern(size)))
      expect(Buffer.compare(stored(content), pattern(size))).toBe(0)
    }
    blocks.closed.add(2)
    await expect(write(pattern(5000))).rejects.toMatchObject({ code: 'Unavailable' })
    expectNothingHeld()
  })
})

describe('nothing stays of a body', () => {
  const fault = new StoreError('VolumeFailed', 'the disk has failed')

  test.each([1, 20_000, 40_000, 60_000])('whose disk fails at %d bytes', async (failAt) => {
    blocks.onWrite = (written) => {
      if (written >= failAt) throw fault
    }
    await expect(write(pieces(pattern(70_000)))).rejects.toMatchObject({ code: 'VolumeFailed' })
    expectNothingHeld()
  })

  test.each([0, 10, 20_000, 70_000])('that fails itself after %d bytes', async (failAt) => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield* pieces(pattern(failAt))
      throw fault
    }
    await expect(write(failing())).rejects.toBe(fault)
    expectNothingHeld()
  })

  test('that grows beyond what a key can be', async () => {
    let yielded = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        yielded += 1000
        yield pattern(1000)
      }
    }
    await expect(write(endless())).rejects.toMatchObject({ code: 'TooLarge' })
    expect(yielded).toBeLessThan(100_000 + 3 * chunkBytes)
    expectNothingHeld()
  })

  test.each([0, 20_000])('that says nothing more after %d bytes, once it is given up', async (size) => {
    const abort = new AbortController()
    let returned = false
    const source: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]() {
        const inner = pieces(pattern(size))
        return {
          next: async () => {
            const result = await inner.next()
            if (result.done !== true) return result
            queueMicrotask(() => abort.abort())
            return new Promise(() => {})
          },
          return: async () => {
            returned = true
            return { done: true, value: undefined }
          },
        }
      },
    }
    await expect(write(source, { signal: abort.signal })).rejects.toMatchObject({ code: 'Aborted' })
    expect(returned).toBe(true)
    expectNothingHeld()
  })
})

test('a body holds two chunks and no more, however slow the disk', async () => {
  let most = 0
  blocks.onWrite = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    most = Math.max(most, chunks.inUse)
  }
  await write(pieces(pattern(99_999)))
  expect(most).toBe(2)
})

describe('senders that fall silent', () => {
  /** Sends some, waits for `more`, sends the rest. */
  async function* halting(bytes: Uint8Array, at: number, more: Promise<void>): AsyncGenerator<Uint8Array> {
    yield* pieces(bytes.subarray(0, at))
    await more
    yield* pieces(bytes.subarray(at))
  }
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

  test.each([
    ['within their first chunk', 5_000, 12_000],
    ['when the first chunk is full', chunkBytes, 12_000],
    ['in the middle', 20_000, 60_000],
    ['at the end', 60_000, 60_000],
  ])('%s hold nobody up', async (_, at, size) => {
    const speak = Promise.withResolvers<void>()
    const bytes = pattern(size)
    const silent = Array.from({ length: 12 }, () => write(halting(bytes, at, speak.promise)))
    await settle()
    const other = await write(pieces(pattern(90_000)))
    expect(Buffer.compare(stored(other.content), pattern(90_000))).toBe(0)
    speak.resolve()
    for (const { content } of await Promise.all(silent)) expect(Buffer.compare(stored(content), bytes)).toBe(0)
    expectNothingHeld()
  })

  test('before a chunk is worth it hold none', async () => {
    const speak = Promise.withResolvers<void>()
    const silent = write(halting(pattern(12_000), 5_000, speak.promise))
    await settle()
    expect(chunks.inUse).toBe(0)
    speak.resolve()
    await silent
  })
})

test('more bodies than there are chunks wait for each other, and all get through', async () => {
  const bytes = pattern(60_000)
  const all = await Promise.all(Array.from({ length: 20 }, () => write(pieces(bytes))))
  for (const { content } of all) expect(Buffer.compare(stored(content), bytes)).toBe(0)
  expectNothingHeld()
})

test('without a grant for this very action nothing is written', () => {
  const forged = Object.create(Object.getPrototypeOf(grant) as object) as Grant<'key:write'>
  expect(() => writer.write(forged, pattern(1), { digests: [] })).toThrow('nobody issued')
  expect(blocks.committed.size).toBe(0)
})

test.each([5_000, 8_192, 3 * blockBytes + 1])(
  '%i bytes are written with tokens, and committed with what datanodes signed',
  async (size) => {
    const { content } = await write(pieces(pattern(size)))
    if (content.kind !== 'leased' && content.kind !== 'leased-many') throw new Error(content.kind)
    const extents = content.kind === 'leased' ? content.extents : content.pieces.flatMap((piece) => piece.extents)
    expect(extents).toHaveLength(Math.ceil(size / blockBytes))
    for (const { block, proofs } of extents) {
      expect(proofs).toEqual([Buffer.from(`has ${nameOf(block)}`)])
      expect(blocks.tokens.get(nameOf(block))).toMatch(new RegExp(`^${block.container} until `))
    }
  },
)
