/**
 * Multiplication of polynomials over GF(2), modulo a CRC's polynomial, in the reflected form that CRCs use: the top bit
 * is the coefficient of x^0, so a multiplication by x is a shift to the right. 64 bits are two 32-bit halves, because
 * a multiplication with `bigint` takes fifty times as long and a completed upload has up to 10,000 parts.
 */

export interface Word64 {
  readonly high: number
  readonly low: number
}

export function multiply32(polynomial: number, a: number, b: number): number {
  let product = 0
  let shifted = b
  for (let bit = 31; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= shifted
    shifted = shifted & 1 ? (shifted >>> 1) ^ polynomial : shifted >>> 1
  }
  return product
}

export function multiply64(polynomial: Word64, a: Word64, b: Word64): Word64 {
  let productHigh = 0
  let productLow = 0
  let high = b.high
  let low = b.low
  for (let bit = 63; bit >= 0; bit--) {
    const word = bit >= 32 ? a.high : a.low
    if ((word >>> (bit & 31)) & 1) {
      productHigh ^= high
      productLow ^= low
    }
    const carry = low & 1
    low = (low >>> 1) | (high << 31)
    high >>>= 1
    if (carry) {
      high ^= polynomial.high
      low ^= polynomial.low
    }
  }
  return { high: productHigh, low: productLow }
}

/** x^(8 × sizeBytes): what moves a CRC past that many bytes. */
export function powerOfX32(polynomial: number, sizeBytes: number): number {
  let square = 1 << 23 // x^8
  let power = 1 << 31 // x^0
  for (let rest = sizeBytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiply32(polynomial, square, power)
    square = multiply32(polynomial, square, square)
  }
  return power
}

/** The same for 64 bits. */
export function powerOfX64(polynomial: Word64, sizeBytes: number): Word64 {
  let square: Word64 = { high: 1 << 23, low: 0 }
  let power: Word64 = { high: 1 << 31, low: 0 }
  for (let rest = sizeBytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiply64(polynomial, square, power)
    square = multiply64(polynomial, square, square)
  }
  return power
}
