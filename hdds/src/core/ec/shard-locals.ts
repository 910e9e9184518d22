/** The local ids in the container of a shard: cells below 2^31, what describes them from there on. */

import type { LocalId } from '@o3/scm/api'
import type { Stripe } from './stripe-layout.ts'

export const descriptorLocal: LocalId = 2 ** 31
export const directoryIndexLocal: LocalId = 2 ** 31 + 1

export function cellLocal({ number }: Pick<Stripe, 'number'>): LocalId {
  return number + 1
}

/** Pages count from 0. */
export function directoryPageLocal(page: number): LocalId {
  return 2 ** 31 + 2 + page
}
