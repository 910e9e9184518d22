import { StoreError } from '@o3/common/errors'

/** The refusal to go on with bytes that failed verification: names the file and the place. */
export function damaged(path: string, offset: number, what: string): StoreError {
  return new StoreError('Damaged', `${path} is damaged at offset ${offset}: ${what}`, { details: { path, offset } })
}

/** The refusal to open files that are whole but not ours, or of another format. */
export function foreign(path: string, what: string): StoreError {
  return new StoreError('Incompatible', `${path}: ${what}`, { details: { path } })
}

export function isMissingFile(thrown: unknown): boolean {
  return thrown instanceof StoreError && thrown.details['errno'] === 'ENOENT'
}

/**
 * Runs a sync. Its failure is final whatever it says: the bytes it covered are in doubt, and a later sync that succeeds
 * proves nothing about them. So "full" is not passed on as `OutOfSpace`, which promises that nothing happened.
 */
export async function synced(sync: Promise<void>): Promise<void> {
  try {
    await sync
  } catch (error) {
    throw new StoreError('VolumeFailed', 'a sync of the log failed', { cause: error })
  }
}
