import { afterAll, describe, expect, test } from 'vitest'
import { openCodePool } from '../../src/ec/code-pool.ts'
import { WasmErasureCode, cellsOfStripe, stripeMemory } from '../../src/ec/erasure-code.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { decodeScalar } from '../harness/scalar-code.ts'

const shapes = [
  { dataShards: 3, parityShards: 2 },
  { dataShards: 6, parityShards: 3 },
  { dataShards: 10, parityShards: 4 },
] as const

const here = new WasmErasureCode()
const pool = openCodePool()
afterAll(() => pool.close())

const cellsIn = (stripe: Uint8Array, count: number): Uint8Array[] =>
  cellsOfStripe(stripe, { dataShards: count, parityShards: 0 })

/** All ways to lose `lost` of `count`. */
function* losses(count: number, lost: number, from = 0): Generator<readonly number[]> {
  if (lost === 0) return yield []
  for (let first = from; first <= count - lost; first++) {
    for (const rest of losses(count, lost - 1, first + 1)) yield [first, ...rest]
  }
}

describe.each(shapes)('rs-$dataShards-$parityShards', (shape) => {
  const { dataShards, parityShards } = shape
  const count = dataShards + parityShards

  const encoded = async (cellBytes: number): Promise<Uint8Array> => {
    const stripe = stripeMemory(shape, cellBytes)
    stripe.set(patternOf(7, dataShards * cellBytes))
    await here.encode(stripe, shape)
    return stripe
  }

  test.each([1, 3, 16, 77, 64 * 1024 + 5])('cells of %i bytes have the parity of the definition', async (cellBytes) => {
    const stripe = await encoded(cellBytes)
    const data = cellsIn(stripe, count).slice(0, dataShards)
    const expected = decodeScalar(dataShards, parityShards, new Map(data.entries()))
    expect(cellsIn(stripe, count).map((cell, at) => sameBytes(cell, expected[at]!))).not.toContain(false)
  })

  test('whatever cells are lost, up to as many as there is parity, come back', async () => {
    const stripe = await encoded(19)
    for (let lost = 1; lost <= parityShards; lost++) {
      for (const missing of losses(count, lost)) {
        const broken = stripe.slice()
        for (const cell of missing) cellsIn(broken, count)[cell]!.fill(0xee)
        const present = Array.from({ length: count }, (_, i) => !missing.includes(i))
        await here.reconstruct(broken, shape, { present, wantedCells: count })
        if (!sameBytes(broken, stripe)) expect.fail(`cells ${missing.join(', ')} came back wrong`)
      }
    }
  })

  test('what one library encodes, an independent decoder gives back', async () => {
    const stripe = await encoded(33)
    const cells = cellsIn(stripe, count)
    const last = new Map(cells.map((cell, i) => [i, cell] as const).slice(parityShards))
    expect(decodeScalar(dataShards, parityShards, last).every((cell, i) => sameBytes(cell, cells[i]!))).toBe(true)
  })

  test('data alone is not paid for with parity', async () => {
    const stripe = await encoded(64)
    const broken = stripe.slice()
    cellsIn(broken, count)[0]!.fill(0xee)
    cellsIn(broken, count)[count - 1]!.fill(0xee)
    const present = Array.from({ length: count }, (_, i) => i > 0 && i < count - 1)
    await here.reconstruct(broken, shape, { present, wantedCells: dataShards })
    const cells = cellsIn(broken, count)
    expect(sameBytes(cells[0]!, cellsIn(stripe, count)[0]!)).toBe(true)
    expect(cells[count - 1]!.every((byte) => byte === 0xee)).toBe(true)
  })

  test('another thread makes the same bytes, in the memory of this one', async () => {
    const stripe = await encoded(128 * 1024)
    const elsewhere = stripeMemory(shape, 128 * 1024)
    elsewhere.set(stripe.subarray(0, dataShards * 128 * 1024))
    await pool.encode(elsewhere, shape)
    expect(sameBytes(elsewhere, stripe)).toBe(true)
    const present = Array.from({ length: count }, (_, i) => i >= parityShards)
    elsewhere.fill(0, 0, parityShards * 128 * 1024)
    await pool.reconstruct(elsewhere, shape, { present, wantedCells: dataShards })
    expect(sameBytes(elsewhere, stripe)).toBe(true)
  })
})

test('too few cells are a bug of the caller', async () => {
  const [shape] = shapes
  const present = [true, true, false, false, false]
  const call = here.reconstruct(stripeMemory(shape, 8), shape, { present, wantedCells: 3 })
  await expect(call).rejects.toThrow('assertion failed')
})
