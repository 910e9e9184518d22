/** No bucket has versions: every object is its own `null` version, and no other id was ever given out. */

import { invalidArgument } from '../core/errors/s3-error.ts'

/** Throws `InvalidArgument` for a version that cannot exist. */
export function checkVersionId(versionId: string | undefined): void {
  if (versionId === undefined || versionId === 'null') return
  if (versionId === '') throw invalidArgument('Version id cannot be the empty string', 'versionId', versionId)
  throw invalidArgument('Invalid version id specified', 'versionId', versionId)
}
