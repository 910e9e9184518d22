/** Bodies whose blocks are lost under them: what is still here is written elsewhere, and the client notices nothing. */

import { ChunkPool } from '@o3/common/digest/chunks'
import { DigestPool } from '@o3/common/digest/pool'
import { nodeEnv } from '@o3/common/env/node'
import { Simulation } from '@o3/common/env/sim'
import { StoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import type { NewContent } from '@o3/om/api'
import type { ReplicationConfig } from '@o3/scm/api'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { authorize } from '../../src/core/authorize.ts'
import type { Grant } from '../../src/core/authorize.ts'
import { BodyWriter } from '../../src/store/body-writer.ts'
import type { WrittenBody } from '../../src/store/body-writer.ts'
import { LeaseHolder } from '../../src/store/lease-holder.ts'
import { KeptBytes, ReplayMemory } from '../../src/store/replay-memory.ts'
import { MemoryBlocks, MemoryLeases, nameOf } from './memory-blocks.ts'

const chunkBytes = 8192
const blockBytes = 4 * chunkBytes
const { clock, tasks } = nodeEnv()
const digests = new DigestPool()
afterAll(() => digests.close())

const grant = authorize({ user: 'root', admin: true }, 'key:write', {
  kind: 'bucket',
  bucket: { volume: 'v', name: 'b', owner: 'root', members: {}, replication: 'RATIS/THREE' },
}) as Grant<'key:write'>

const body = Uint8Array.from({ length: 3 * blockBytes + 5_000 }, (_, i) => (i * 7) % 251)

let blocks: MemoryBlocks
let chunks: ChunkPool

beforeEach(() => {
  blocks = new MemoryBlocks()
  chunks = new ChunkPool({ chunkSizeBytes: chunkBytes, maxChunks: 4 })
})

interface Options {
  readonly replication?: ReplicationConfig
  readonly replayBytes?: number
}

function writerOf({ replication = 'RATIS/THREE', replayBytes = 4 * blockBytes }: Options = {}): BodyWriter {
  const om = new MemoryLeases(() => clock.wallMs())
  om.termMs = 600_000
  // Blocks of one lease are in four containers.
  om.containers = (lease) => [0, 1, 2, 3].map((i) => lease * 10 + i)
  const leases = new LeaseHolder({ om, clock, tasks, log: nullLogger, holder: 'me', replication, batch: 16 })
  return new BodyWriter({ blocks, leases: () => leases, chunks, digests, blockBytes, maxBodyBytes: 1e6, replayBytes })
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 3_000) yield bytes.subarray(at, at + 3_000)
}

const write = async (writer: BodyWriter, bytes = body): Promise<WrittenBody> =>
  await writer.write(grant, pieces(bytes), { digests: ['md5'] })

function stored(content: NewContent): Uint8Array {
  if (content.kind !== 'leased' && content.kind !== 'leased-many') throw new Error(`it is ${content.kind}`)
  const parts = content.kind === 'leased' ? [content] : content.pieces
  return Buffer.concat(
    parts.flatMap(({ extents }) =>
      extents.map(({ block, length, proofs }) => {
        // Of the block that is named, and not of one that was given up.
        expect(proofs).toEqual([Buffer.from(`has ${nameOf(block)}`)])
        const bytes = blocks.committed.get(nameOf(block))!
        expect(bytes.length).toBe(length)
        return bytes
      }),
    ),
  )
}

const lost = (code: StoreError['code'] = 'Unavailable'): StoreError => new StoreError(code, 'the pipeline is lost')

/** The n-th such step fails, once. */
function failAt(step: 'writeBlock' | 'openWriter' | 'write' | 'commit', n: number, error = lost()): void {
  let count = 0
  blocks.onStep = (now) => {
    if (now === step && ++count === n) throw error
  }
}

function expectNothingHeld(): void {
  expect(chunks.inUse).toBe(0)
  expect(blocks.openWriters).toBe(0)
}

describe('a body is written elsewhere', () => {
  test.each(['Unavailable', 'OutcomeUnknown', 'DeadlineExceeded', 'VolumeFailed', 'OutOfSpace'] as const)(
    'when its only block meets %s',
    async (code) => {
      failAt('writeBlock', 1, lost(code))
      const bytes = body.subarray(0, 6_000)
      const { content } = await write(writerOf(), bytes)
      expect(Buffer.compare(stored(content), bytes)).toBe(0)
    },
  )

  test.each(Array.from({ length: 13 }, (_, i) => i + 1))('when its write %d fails', async (n) => {
    failAt('write', n)
    const { content } = await write(writerOf())
    expect(Buffer.compare(stored(content), body)).toBe(0)
    expectNothingHeld()
  })

  test.each([1, 2, 3, 4])('when its commit %d fails', async (n) => {
    failAt('commit', n, lost('OutcomeUnknown'))
    const { content } = await write(writerOf())
    expect(Buffer.compare(stored(content), body)).toBe(0)
    expectNothingHeld()
  })

  test('as long as three other containers do not fail in turn', async () => {
    let failures = 0
    blocks.onStep = (step) => {
      if (step === 'write' && ++failures >= 6 && failures < 9) throw lost()
    }
    const { content } = await write(writerOf())
    expect(Buffer.compare(stored(content), body)).toBe(0)
    blocks.onStep = (step) => {
      if (step === 'write') throw lost()
    }
    await expect(write(writerOf())).rejects.toMatchObject({ code: 'Unavailable' })
    expectNothingHeld()
  })

  test('without any memory too, when its block has only begun', async () => {
    for (const options of [{ replayBytes: 0 }, { replication: 'RATIS/ONE' }] as const) {
      failAt('write', 5)
      const { content } = await write(writerOf(options))
      expect(Buffer.compare(stored(content), body)).toBe(0)
    }
  })
})

describe('a body is refused', () => {
  test.each(['Unavailable', 'OutcomeUnknown'] as const)(
    'as Unavailable, when bytes are lost that are not here any more, and %s',
    async (code) => {
      for (const options of [{ replayBytes: 0 }, { replication: 'RATIS/ONE' }, { replayBytes: chunkBytes }] as const) {
        for (const step of ['write', 'commit'] as const) {
          failAt(step, 3, lost(code))
          await expect(write(writerOf(options))).rejects.toMatchObject({ code: 'Unavailable' })
          expectNothingHeld()
        }
      }
    },
  )

  test('with what is no fault of the container', async () => {
    for (const code of ['Damaged', 'AccessDenied'] as const) {
      failAt('write', 2, lost(code))
      await expect(write(writerOf())).rejects.toMatchObject({ code })
      expectNothingHeld()
    }
  })
})

test('random losses: the body is whole, or refused, and the memory comes back', async () => {
  for (let seed = 1; seed <= 150; seed++) {
    const { random } = new Simulation({ seed })
    const writer = writerOf({ replayBytes: blockBytes * random.below(5) })
    blocks.onStep = () => {
      if (random.chance(0.06)) throw lost(random.chance(0.5) ? 'Unavailable' : 'OutcomeUnknown')
    }
    const bodies = Array.from({ length: 3 }, () => body.subarray(0, 5_000 + random.below(body.length - 5_000)))
    const results = await Promise.allSettled(bodies.map((bytes) => write(writer, bytes)))
    for (const [i, result] of results.entries()) {
      if (result.status === 'rejected') expect(result.reason, `seed ${seed}`).toMatchObject({ code: 'Unavailable' })
      else expect(Buffer.compare(stored(result.value.content), bodies[i]!), `seed ${seed}`).toBe(0)
    }
    expectNothingHeld()
    expect((writer as unknown as { replay: ReplayMemory }).replay.usedBytes, `seed ${seed}`).toBe(0)
  }
})

describe('kept bytes', () => {
  test('are all there, in pieces of any size', () => {
    const memory = new ReplayMemory({ maxBytes: 100, sliceBytes: 10 })
    for (const size of [1, 3, 10, 11, 50]) {
      const kept = new KeptBytes(memory)
      for (let at = 0; at < 50; at += size) kept.add(body.subarray(at, Math.min(50, at + size)))
      expect(Buffer.compare(Buffer.concat(kept.pieces), body.subarray(0, 50))).toBe(0)
      expect(memory.usedBytes).toBe(50)
      kept.release()
      kept.release()
      expect(memory.usedBytes).toBe(0)
    }
  })

  test('are none when not all can be kept', () => {
    const memory = new ReplayMemory({ maxBytes: 40, sliceBytes: 10 })
    const first = new KeptBytes(memory)
    first.add(body.subarray(0, 25))
    const second = new KeptBytes(memory)
    second.add(body.subarray(0, 11))
    expect([first.isWhole, second.isWhole]).toEqual([true, false])
    expect(second.pieces).toEqual([])
    first.add(body.subarray(25, 40))
    first.add(body.subarray(40, 41))
    expect(first.isWhole).toBe(false)
    expect(memory.usedBytes).toBe(0)
  })
})
