import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ChunkPool } from '../../src/digest/chunk-pool.ts'
import { DigestPool } from '../../src/digest/digest-pool.ts'
import type { DigestSession } from '../../src/digest/digest-pool.ts'
import { digestAlgorithms } from '../../src/digest/digest.ts'
import type { Digests } from '../../src/digest/digest.ts'
import { digestOf } from '../../src/digest/node-digest.ts'

const pools: DigestPool[] = []
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())))

function openPool(options: ConstructorParameters<typeof DigestPool>[0] = {}): DigestPool {
  const pool = new DigestPool(options)
  pools.push(pool)
  return pool
}

function expectDigests(digests: Digests, whole: Uint8Array): void {
  for (const algorithm of digestAlgorithms) {
    if (digests[algorithm] === undefined) continue
    expect(Buffer.from(digests[algorithm]).equals(digestOf(algorithm, whole)), algorithm).toBe(true)
  }
}

/** Sends `body` through chunks of the pool, as an upload does. */
async function upload(session: DigestSession, chunks: ChunkPool, body: Uint8Array): Promise<Digests> {
  const hashed: Promise<void>[] = []
  for (let at = 0; at < body.length; at += chunks.chunkSizeBytes) {
    const chunk = await chunks.acquire()
    const piece = body.subarray(at, at + chunks.chunkSizeBytes)
    chunk.bytes.set(piece)
    hashed.push(session.update(chunk.bytes.subarray(0, piece.length)).then(() => chunk.release()))
  }
  const digests = await session.finish()
  await Promise.all(hashed)
  return digests
}

describe('DigestPool', () => {
  test('hashes many bodies at a time, each as if it were alone', async () => {
    const pool = openPool({ workers: 2 })
    const chunks = new ChunkPool({ chunkSizeBytes: 64 * 1024, maxChunks: 6 })
    const bodies = Array.from({ length: 12 }, (_, i) => randomBytes(10_000 + i * 70_000))
    const digests = await Promise.all(bodies.map((body) => upload(pool.open(digestAlgorithms), chunks, body)))
    digests.forEach((each, i) => {
      expect(Object.keys(each).toSorted()).toEqual(digestAlgorithms.toSorted())
      expectDigests(each, bodies[i]!)
    })
    expect([pool.openSessions, chunks.inUse]).toEqual([0, 0])
  })

  test('copies bytes that are not shared memory, so that the buffer around them stays here', async () => {
    const whole = randomBytes(1 << 16)
    const session = openPool().open(['sha256'])
    await session.update(whole.subarray(100, 200))
    whole.fill(0, 0, 100)
    const rest = session.update(whole.subarray(200, 300))
    const expected = digestOf('sha256', whole.subarray(100, 300))
    whole.fill(0)
    await rest
    expect((await session.finish()).sha256).toEqual(expected)
  })

  test.each([
    ['a body known to be small', { sizeBytes: 1000 }, ['md5']],
    ['checksums that cost less than a message', {}, ['crc32', 'crc32c']],
  ] as const)('hashes %s at once, without a thread', async (_, options, algorithms) => {
    const pool = openPool()
    const session = pool.open(algorithms, options)
    expect(pool.openSessions).toBe(0)
    const body = randomBytes(1000)
    await session.update(body)
    expectDigests(await session.finish(), body)
    const given = pool.open(algorithms, options)
    given.abort()
    await expect(given.update(body)).rejects.toMatchObject({ code: 'Aborted' })
  })

  test('an aborted session rejects, and the others go on', async () => {
    const pool = openPool()
    const [given, kept] = [pool.open(['md5']), pool.open(['md5'])]
    const underway = given.update(new Uint8Array(new SharedArrayBuffer(1 << 20)))
    given.abort()
    given.abort()
    await underway
    await expect(given.update(new Uint8Array(1))).rejects.toMatchObject({ code: 'Aborted' })
    await expect(given.finish()).rejects.toMatchObject({ code: 'Aborted' })
    expect(pool.openSessions).toBe(1)
    expectDigests(await kept.finish(), new Uint8Array(0))
  })

  test('when a thread dies its sessions reject, and the next one gets a new thread', async () => {
    const pool = openPool()
    const session = pool.open(['md5'])
    // A view of shared memory that is none: the thread falls over it.
    const poison = { buffer: new SharedArrayBuffer(1) } as unknown as Uint8Array
    const [first, second] = [session.update(poison), session.finish()]
    await expect(first).rejects.toMatchObject({ code: 'Unavailable', cause: expect.any(Error) })
    await expect(second).rejects.toMatchObject({ code: 'Unavailable' })
    expect(pool.openSessions).toBe(0)
    expectDigests(await pool.open(['md5']).finish(), new Uint8Array(0))
  })

  test('after close everything rejects', async () => {
    const pool = openPool()
    const session = pool.open(['md5'])
    const underway = expect(session.finish()).rejects.toMatchObject({ code: 'Closed' })
    await Promise.all([pool.close(), pool.close()])
    await underway
    expect(() => pool.open(['md5'])).toThrowError(expect.objectContaining({ code: 'Closed' }))
  })

  test('has an end to its open sessions', () => {
    const pool = openPool({ maxSessions: 1 })
    const session = pool.open(['md5'])
    expect(() => pool.open(['md5'])).toThrowError(expect.objectContaining({ code: 'Busy' }))
    session.abort()
    expect(() => pool.open(['md5'])).not.toThrow()
  })

  test('a session that was forgotten is freed when it is collected', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const pool = openPool()
    for (let i = 0; i < 20; i++) void pool.open(['md5'])
    await vi.waitUntil(
      () => {
        collect()
        return pool.openSessions === 0
      },
      { timeout: 10_000, interval: 20 },
    )
  })

  test('a session ends once', async () => {
    const session = openPool().open(['md5'])
    await session.finish()
    expect(() => session.finish()).toThrow('finished twice')
    expect(() => session.update(new Uint8Array(1))).toThrow('after its end')
  })
})
