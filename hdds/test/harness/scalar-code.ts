/**
 * Reed-Solomon one byte at a time, written from the definition and from nothing else: what the library's bytes are compared
 * with. GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1; a Vandermonde matrix made systematic.
 */

const field = 256

/** Carry-less multiplication, reduced as it goes. */
export function multiply(a: number, b: number): number {
  let product = 0
  for (let bit = 0, shifted = a; bit < 8; bit++) {
    if ((b >>> bit) & 1) product ^= shifted
    shifted = shifted & 0x80 ? (shifted << 1) ^ 0x11d : shifted << 1
  }
  return product
}

function inverse(a: number): number {
  for (let b = 1; b < field; b++) if (multiply(a, b) === 1) return b
  throw new Error('0 has no inverse')
}

function power(a: number, exponent: number): number {
  let result = 1
  for (let i = 0; i < exponent; i++) result = multiply(result, a)
  return result
}

type Matrix = readonly (readonly number[])[]

function product(a: Matrix, b: Matrix): number[][] {
  return a.map((row) => b[0]!.map((_, j) => row.reduce((sum, x, i) => sum ^ multiply(x, b[i]![j]!), 0)))
}

/** Gauss and Jordan. */
function invert(matrix: Matrix): number[][] {
  const size = matrix.length
  const rows = matrix.map((row, i) => [...row, ...Array.from({ length: size }, (_, j) => (i === j ? 1 : 0))])
  for (let column = 0; column < size; column++) {
    const pivot = rows.findIndex((row, i) => i >= column && row[column] !== 0)
    ;[rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!]
    const scale = inverse(rows[column]![column]!)
    rows[column] = rows[column]!.map((x) => multiply(x, scale))
    for (let i = 0; i < size; i++) {
      const factor = rows[i]![column]!
      if (i !== column && factor !== 0) rows[i] = rows[i]!.map((x, j) => x ^ multiply(factor, rows[column]![j]!))
    }
  }
  return rows.map((row) => row.slice(size))
}

/** A row for each shard; the first ones are the identity. */
export function codingMatrix(dataShards: number, parityShards: number): number[][] {
  const vandermonde = Array.from({ length: dataShards + parityShards }, (_, row) =>
    Array.from({ length: dataShards }, (__, column) => power(row, column)),
  )
  return product(vandermonde, invert(vandermonde.slice(0, dataShards)))
}

/** All shards from any `dataShards` of them, by number. They have the same length. */
export function decodeScalar(
  dataShards: number,
  parityShards: number,
  known: ReadonlyMap<number, Uint8Array>,
): Uint8Array[] {
  const matrix = codingMatrix(dataShards, parityShards)
  const numbers = [...known.keys()].slice(0, dataShards)
  const back = product(matrix, invert(numbers.map((number) => matrix[number]!)))
  const length = known.get(numbers[0]!)!.length
  return back.map((row) => {
    const shard = new Uint8Array(length)
    for (const [i, number] of numbers.entries()) {
      const bytes = known.get(number)!
      for (let at = 0; at < length; at++) shard[at]! ^= multiply(row[i]!, bytes[at]!)
    }
    return shard
  })
}
