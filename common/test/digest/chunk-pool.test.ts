import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ChunkPool } from '../../src/digest/chunk-pool.ts'
import type { Chunk } from '../../src/digest/chunk-pool.ts'

const small = { chunkSizeBytes: 16, maxChunks: 2 }

describe('ChunkPool', () => {
  test('lends shared memory of its size and takes it back', () => {
    const pool = new ChunkPool(small)
    const chunk = pool.tryAcquire()!
    expect(chunk.bytes.length).toBe(16)
    expect(chunk.bytes.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(pool.inUse).toBe(1)
    chunk.release()
    expect(pool.inUse).toBe(0)
    expect(pool.tryAcquire()!.bytes).toBe(chunk.bytes)
  })

  test('serves those who wait in the order in which they came', async () => {
    const pool = new ChunkPool(small)
    const held = [pool.tryAcquire()!, pool.tryAcquire()!]
    const served: string[] = []
    const waiting = ['first', 'second'].map(async (name) => {
      const chunk = await pool.acquire()
      served.push(name)
      return chunk
    })
    expect(pool.tryAcquire()).toBeUndefined()
    expect(pool.waiting).toBe(2)
    for (const chunk of held) chunk.release()
    await Promise.all(waiting)
    expect(served).toEqual(['first', 'second'])
    expect(pool.inUse).toBe(2)
  })

  test('lets one who waits go away, without losing a chunk', async () => {
    const pool = new ChunkPool({ ...small, maxChunks: 1 })
    const held = pool.tryAcquire()!
    const leaving = new AbortController()
    const left = pool.acquire(leaving.signal)
    const stayed = pool.acquire()
    leaving.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    held.release()
    await stayed
    await expect(pool.acquire(leaving.signal)).rejects.toThrow('gone')
    expect([pool.inUse, pool.waiting]).toEqual([1, 0])
  })

  test('asks idle holders back, one for each who waits, the longest idle first', async () => {
    const pool = new ChunkPool(small)
    const held = [pool.tryAcquire()!, pool.tryAcquire()!]
    const asked: number[] = []
    for (const [index, chunk] of held.entries()) {
      pool.whileIdle(() => {
        asked.push(index)
        chunk.release()
      })
    }
    await pool.acquire()
    expect(asked).toEqual([0])
    await pool.acquire()
    expect(asked).toEqual([0, 1])
  })

  test('asks a holder that falls idle while others wait, and none that is busy again', async () => {
    const pool = new ChunkPool({ ...small, maxChunks: 1 })
    const chunk = pool.tryAcquire()!
    pool.whileIdle(() => expect.fail('it is busy again'))()
    const waiting = pool.acquire()
    pool.whileIdle(() => chunk.release())
    await waiting
  })

  test('has an end to those who may wait', async () => {
    const pool = new ChunkPool({ ...small, maxChunks: 0, maxWaiting: 0 })
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'Busy' })
  })

  test('finds a second release', () => {
    const chunk = new ChunkPool(small).tryAcquire()!
    chunk.release()
    expect(() => chunk.release()).toThrow('released twice')
  })

  test('never lends one chunk to two, nor more than there are', async () => {
    const step = fc.oneof(fc.constant('acquire' as const), fc.constant('release' as const))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), async (steps, maxChunks) => {
        const pool = new ChunkPool({ chunkSizeBytes: 1, maxChunks })
        const held: Chunk[] = []
        let wanted = 0
        for (const action of steps) {
          if (action === 'acquire') {
            wanted++
            void pool.acquire().then((chunk) => held.push(chunk))
          } else if (held.length > 0) {
            wanted--
            held.shift()!.release()
          }
          await Promise.resolve()
          expect(new Set(held.map((chunk) => chunk.bytes)).size).toBe(held.length)
          expect(held.length).toBe(Math.min(wanted, maxChunks))
          expect(pool.waiting).toBe(Math.max(0, wanted - maxChunks))
        }
      }),
    )
  })
})
