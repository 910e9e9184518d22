/** The task of the coding threads. */

import type { CodeTask } from './code-pool.ts'
import { encodeNow, reconstructNow } from './erasure-code.ts'

/** Fills the stripe, which is shared memory. */
export function code({ stripe, shape, holes }: CodeTask): void {
  if (holes === undefined) encodeNow(stripe, shape)
  else reconstructNow(stripe, shape, holes)
}
