/** A block where it can be written. */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { LeasedBlock, LeaseHolder } from './lease-holder.ts'

export interface Placed<T> {
  readonly leased: LeasedBlock
  readonly result: T
}

/** Containers tried for one block. */
const attempts = 4

/**
 * Draws a block and does with it what `act` does; where its container does not take it, with a block of another one. A
 * container is closed, a disk fills up or fails, and a pipeline loses its majority, long after blocks were leased: that is no
 * fault of the write. Where nobody knows whether the block was written, it is given up too: no key names it, and if it is
 * there it is garbage. The bytes must still be there when `act` is called again. Rejects with the last failure.
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
      if (attempt === attempts || !isOfContainer(error)) throw withoutDoubt(error)
      leases.avoid(leased.block.container, error)
    }
  }
}

/** Whether a block of another container may do better. */
export function isOfContainer(error: unknown): boolean {
  return isStoreError(
    error,
    'Unavailable',
    'ContainerNotFound',
    'VolumeFailed',
    'OutOfSpace',
    'OutcomeUnknown',
    'DeadlineExceeded',
  )
}

/** That it is not known what became of a block is nothing to those above: no key names it, so nothing has happened. */
export function withoutDoubt(error: unknown): unknown {
  if (!(error instanceof StoreError) || error.category !== 'unknown-outcome') return error
  return new StoreError('Unavailable', 'the bytes could not be written anywhere', {
    details: error.details,
    cause: error,
  })
}
