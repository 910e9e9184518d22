/** What it means that a disk could not be opened, and what is said of one that has failed. */

import { StoreError, isStoreError } from '@o3/common/errors'

/**
 * The disk itself is to blame. Everything else is a reason not to start at all: a directory of somebody else, a disk that
 * another process uses, rights that are missing are mistakes of a person, who would not want the copies of a whole disk to be
 * made anew for it; and a process without descriptors says nothing of any disk. A disk without any room is left out like a
 * broken one: the others serve, and its replicas are elsewhere.
 */
export function isFaultOfDisk(error: unknown): error is StoreError {
  return isStoreError(error, 'Damaged', 'VolumeFailed', 'OutOfSpace')
}

/** There is no such file. */
export function isMissing(error: unknown): boolean {
  return error instanceof StoreError && error.details['errno'] === 'ENOENT'
}

const inWords: Readonly<Record<string, string>> = {
  EIO: 'it answers with I/O errors',
  EROFS: 'its file system is read-only',
  ENOSPC: 'it has no room at all',
  EDQUOT: 'it has no room at all',
  ENODEV: 'its device has gone',
  ENXIO: 'its device has gone',
  ENOENT: 'its directory has gone',
}

const longest = 300

/** For a person, without the path of the disk: `it answers with I/O errors (read of index/CURRENT: EIO)`. */
export function diskFailureText(error: StoreError, diskPath: string): string {
  const { errno, operation, path } = error.details
  if (typeof errno !== 'string' || typeof operation !== 'string' || typeof path !== 'string') {
    return error.message.replaceAll(`${diskPath}/`, '').slice(0, longest)
  }
  const place = path.startsWith(`${diskPath}/`) ? path.slice(diskPath.length + 1) : 'its directory'
  return `${inWords[errno] ?? 'it does not work'} (${operation} of ${place}: ${errno})`.slice(0, longest)
}
