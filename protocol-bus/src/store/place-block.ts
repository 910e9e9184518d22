/** A block where it can be written. */

import { isStoreError } from '@o3/common/errors'
import type { LeasedBlock, LeaseHolder } from './lease-holder.ts'

export interface Placed<T> {
  readonly leased: LeasedBlock
  readonly result: T
}

/** Containers tried for one block. */
const attempts = 4

/**
 * Draws a block and does with it what `act` does; where its container does not take it, with a block of another one. A
 * container is closed, and a disk fills up or fails, long after its blocks were leased: that is no fault of the write.
 * The bytes must still be there when `act` is called again. Rejects with the last failure.
 */
export async function placeBlock<T>(leases: LeaseHolder, act: (leased: LeasedBlock) => Promise<T>): Promise<Placed<T>> {
  for (let attempt = 1; ; attempt++) {
    const leased = await leases.take()
    try {
      const result = await act(leased)
      leases.welcome(leased.block.container)
      return { leased, result }
    } catch (error) {
      leased.finish()
      if (attempt === attempts || !isOfContainer(error)) throw error
      leases.avoid(leased.block.container)
    }
  }
}

function isOfContainer(error: unknown): boolean {
  return isStoreError(error, 'Unavailable', 'ContainerNotFound', 'VolumeFailed', 'OutOfSpace')
}
