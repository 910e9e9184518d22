/** What the failures of replicas mean: for the one, and for all of them together. */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { StoreErrorCode } from '@o3/common/errors'

/**
 * - `answer`: every replica would say it (a range beyond the block, no access); nobody else need be asked.
 * - `block`: this replica has not got the block whole; others may.
 * - `datanode`: the datanode is gone, silent or broken.
 */
export type FailureMeaning = 'answer' | 'block' | 'datanode'

/**
 * Of those that blame the caller. An answer that is too short or long, or whose stream broke off, is its sender's fault; and what
 * reads blocks here makes no call that is wrong in itself, so a datanode that says so is wrong, or of another release.
 */
const faultsOfReplica: ReadonlySet<StoreErrorCode> = new Set(['IncompleteBody', 'Aborted', 'InvalidArgument'])

export function meaningOfReadFailure(error: unknown): FailureMeaning {
  // What is no StoreError is a bug here, and no datanode's fault.
  if (!(error instanceof StoreError)) return 'answer'
  switch (error.category) {
    case 'not-found':
    case 'damaged':
      return 'block'
    case 'invalid':
      return faultsOfReplica.has(error.code) ? 'datanode' : 'answer'
    case 'denied':
      return 'answer'
    case 'conflict':
    case 'limit':
    case 'unavailable':
    case 'unknown-outcome':
    case 'unsupported':
    case 'internal':
      return 'datanode'
  }
}

/** Whether it says that the container is elsewhere, perhaps: SCM is worth asking. */
export function mayHaveMoved(error: unknown): boolean {
  return isStoreError(error, 'Unavailable', 'ContainerNotFound')
}

/**
 * What a reader is told that no replica could serve. `BlockNotFound` and `Damaged` are final for it, so they need the word of
 * every replica; where one is only out of reach, or lags behind a damaged one, trying again later may help.
 */
export function mostTelling(failures: readonly StoreError[]): StoreError {
  const [first] = failures
  if (first === undefined) return new StoreError('Unavailable', 'there is no replica that can be reached')
  if (failures.every(({ code }) => code === first.code)) return first
  const found = failures.filter(({ code }) => code !== 'ContainerNotFound')
  const [one] = found
  // A replica that is no more has no say about the block.
  if (one !== undefined && found.every(({ code }) => code === one.code)) return one
  const damaged = failures.find(({ code }) => code === 'Damaged')
  const cause = damaged ?? failures.find(({ category }) => category === 'unavailable') ?? first
  return new StoreError('Unavailable', 'no replica of the block can be read now', { cause, details: cause.details })
}
