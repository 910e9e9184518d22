/** Names requests. */

import type { Random } from '@o3/common/env'

const instanceBytes = 4
/** Of the eight digits that count, so many come from a table. */
const lowDigits = 3
const lowCount = 16 ** lowDigits
const highCount = 16 ** (8 - lowDigits)

/**
 * Sixteen hexadecimal digits, upper-case: eight at random for this listener, eight that count. Unique and cheap (a table
 * look-up and a concatenation); they tell nothing and protect nothing.
 */
export function requestIds(random: Pick<Random, 'bytes'>): () => string {
  const instance = [...random.bytes(instanceBytes)].map((byte) => hexadecimal(byte, 2)).join('')
  const lows = Array.from({ length: lowCount }, (_, low) => hexadecimal(low, lowDigits))
  let high = 0
  let prefix = instance + hexadecimal(high, 8 - lowDigits)
  let low = 0
  return () => {
    if (++low === lowCount) {
      low = 0
      high = (high + 1) % highCount
      prefix = instance + hexadecimal(high, 8 - lowDigits)
    }
    return prefix + (lows[low] as string)
  }
}

function hexadecimal(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0')
}
