/** What to do about an error, where that can be said in a line. */

import { StoreError } from '@o3/common/errors'
import type { StoreErrorCode } from '@o3/common/errors'

const hints: Partial<Readonly<Record<StoreErrorCode, string>>> = {
  VolumeNotFound: '`o3 sh volume list` shows those that you may see',
  BucketNotFound: '`o3 sh bucket list /VOLUME` shows those that you may see',
  KeyNotFound: '`o3 sh key list /VOLUME/BUCKET` shows the names',
  UserNotFound: '`o3 user list`',
  AccessKeyNotFound: '`o3 key-pair list`',
  VolumeNotEmpty: 'delete its buckets first; `o3 sh bucket list /VOLUME` shows them',
  BucketNotEmpty: 'delete its keys first; `o3 sh key list /VOLUME/BUCKET` shows them',
  Unauthenticated: 'check the access key and its secret: --access-key, O3_SECRET_KEY, or --data',
  AccessDenied: 'ask an owner: `o3 sh volume allow`, `o3 sh bucket allow`',
  QuotaExceeded: '`o3 sh bucket info` and `o3 sh volume info` show quota and usage',
  OutOfSpace: 'delete something, or give the node a larger disk',
}

const lockHint = 'stop that process (`o3 cluster stop`, where it runs a cluster), or name another directory'

const byErrno: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something listens there already (`ss -ltnp` shows what): stop it, or choose another port',
}

const errnoWords: Readonly<Record<string, string>> = {
  EACCES: 'this user may not do that',
  EDQUOT: 'the quota of this user is used up',
  EIO: 'the device reports an error',
  EMFILE: 'too many files are open',
  ENOENT: 'there is no such file or directory',
  ENOSPC: 'no space is left on its file system',
  ENOTDIR: 'there is a file where a directory should be',
  EPERM: 'this user may not do that',
  EROFS: 'its file system is read-only',
}

/** What went wrong, for a person. Disk errors name their path in the details, for it is not for every client to see. */
export function sentenceOf(error: StoreError): string {
  const { errno, operation, path } = error.details
  if (typeof errno !== 'string' || typeof operation !== 'string' || typeof path !== 'string') return error.message
  return `${path}: ${errnoWords[errno] ?? errno} (${error.message})`
}

/** Where the error was thrown somebody may have known better: `details.try`. */
export function hintOf(error: StoreError): string | undefined {
  const { try: told, errno, pid } = error.details
  if (typeof told === 'string') return told
  if (typeof errno === 'string' && byErrno[errno] !== undefined) return byErrno[errno]
  if (error.code === 'Busy' && typeof pid === 'number') return lockHint
  return hints[error.code]
}

/** The same error, and what to do about it, unless it says so itself. */
export function hinted(error: StoreError, hint: string): StoreError {
  const { code, message, details } = error
  return new StoreError(code, message, { details: { try: hint, ...details }, cause: error })
}
