/** Part numbers, and the other counts that requests carry. */

import { invalidArgument } from '../core/errors/s3-error.ts'
import { parseDecimal } from '../core/request/decimal.ts'

export const maxPartNumber = 10_000

/** 1 to 10,000; throws `InvalidArgument`. */
export function partNumberOf(value: string): number {
  const number = parseDecimal(value, maxPartNumber)
  if (number === undefined || number === 0) {
    throw invalidArgument('Part number must be an integer between 1 and 10000, inclusive', 'partNumber', value)
  }
  return number
}
