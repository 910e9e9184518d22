/** What to do about an error, where that can be said in a line. */

import type { StoreError, StoreErrorCode } from '@o3/common/errors'

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

/** Where the error was thrown somebody may have known better: `details.try`. */
export function hintOf(error: StoreError): string | undefined {
  const { try: told } = error.details
  return typeof told === 'string' ? told : hints[error.code]
}
