import { afterAll, describe, expect, test } from 'vitest'
import { checksumUnitBytes } from '../../src/api/api.ts'
import { unitChecksums } from '../../src/storage/checksum.ts'
import { ReadBuffers } from '../../src/storage/read-buffers.ts'
import { openVerifyPool } from '../../src/storage/verify-pool.ts'

const pool = openVerifyPool()
afterAll(() => pool.close())

function filled(buffers: ReadBuffers, bytes: number): Uint8Array {
  return buffers.take(bytes).fill(7)
}

describe.each([
  ['in another thread', 16],
  ['in this thread, because it is small', 2],
])('units proven %s', (_, count) => {
  test.each([undefined, 0, 1])('with unit %s damaged', async (damaged) => {
    const buffers = new ReadBuffers(1, pool)
    const units = filled(buffers, count * checksumUnitBytes - 5)
    const checksums = unitChecksums([units])
    if (damaged !== undefined) units[damaged * checksumUnitBytes + 3] = 8
    expect(await buffers.prove({ units, checksums, firstUnit: 0 })).toBe(damaged)
  })
})

test('large buffers are shared memory, and used again', () => {
  const buffers = new ReadBuffers(1, pool)
  const first = filled(buffers, 1024 * 1024)
  expect(first.buffer).toBeInstanceOf(SharedArrayBuffer)
  buffers.give(first)
  expect(buffers.take(300_000).buffer).toBe(first.buffer)
})

test('many at once are all answered', async () => {
  const buffers = new ReadBuffers(64, pool)
  const tasks = Array.from({ length: 64 }, async () => {
    const units = filled(buffers, 512 * 1024)
    return await buffers.prove({ units, checksums: unitChecksums([units]), firstUnit: 0 })
  })
  expect(new Set(await Promise.all(tasks))).toEqual(new Set([undefined]))
})
