/** The task of the verification threads. */

import { firstDamagedUnit } from './checksum.ts'
import type { VerifyTask } from './verify-pool.ts'

/** The first unit that does not match, or −1. */
export function verify({ units, checksums, firstUnit }: VerifyTask): number {
  return firstDamagedUnit(units, checksums, firstUnit) ?? -1
}
