/** From an errno to the closed vocabulary: one table for the real disk and the simulated one. */

import { StoreError, type StoreErrorCode } from '../../errors.ts'

/**
 * What is missing here is the caller's mistake, and so `InvalidArgument`. A file system that went read-only or whose
 * device went away has failed as a volume; a lack of descriptors or memory passes.
 */
const codeOfErrno: Readonly<Record<string, StoreErrorCode>> = {
  ENOSPC: 'OutOfSpace',
  EDQUOT: 'OutOfSpace',
  EIO: 'Damaged',
  EUCLEAN: 'Damaged',
  // As block devices put it: the medium, the target.
  ENODATA: 'Damaged',
  EREMOTEIO: 'Damaged',
  EROFS: 'VolumeFailed',
  ENODEV: 'VolumeFailed',
  ENXIO: 'VolumeFailed',
  ESTALE: 'VolumeFailed',
  ENOTCONN: 'VolumeFailed',
  ETIMEDOUT: 'VolumeFailed',
  EMFILE: 'Unavailable',
  ENFILE: 'Unavailable',
  ENOMEM: 'Unavailable',
  EAGAIN: 'Unavailable',
}

/** What libuv has no name for, no caller provokes; EBADMSG, a checksum of ext4 or XFS that does not match, is one of them. */
const nameless = /^Unknown system error/

function codeOf(errno: string): StoreErrorCode {
  return codeOfErrno[errno] ?? (nameless.test(errno) ? 'Damaged' : 'InvalidArgument')
}

export interface DiskFailure {
  readonly errno: string
  readonly operation: string
  readonly path: string
  readonly cause?: unknown
}

/** The `StoreError` for a failed disk operation, with `details.errno`, `.operation` and `.path`. */
export function diskError({ errno, operation, path, cause }: DiskFailure): StoreError {
  return new StoreError(codeOf(errno), `disk ${operation} failed: ${errno}`, {
    details: { errno, operation, path },
    ...(cause === undefined ? {} : { cause }),
  })
}

/** The errno that `diskError` recorded; undefined for any other error. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof StoreError)) return undefined
  const errno = thrown.details['errno']
  return typeof errno === 'string' ? errno : undefined
}
