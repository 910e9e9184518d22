/**
 * The state of a member of a group that cannot be read any more: its key-value store is damaged, or does not meet its log.
 * The others have all of it. So it is kept aside, for whoever wants to look, and the member begins with nothing, like one
 * whose directory was wiped: without a vote, until it has learnt everything.
 */

import type { Disk } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { StoreError } from '@o3/common/errors'
import type { GroupPlace } from './stores.ts'

/** Whether the others of its group can give back what the error says is lost. */
export function othersHaveIt(place: GroupPlace, error: unknown): error is StoreError {
  if (place.company !== 'others' || !isStoreError(error, 'Damaged')) return false
  // The cluster file may name members that its group never took in.
  return error.details['onlyVoter'] === undefined
}

/** The newest is kept. Resolves with where it is. */
export async function setAside(disk: Disk, directory: string): Promise<string> {
  const aside = `${directory}.damaged`
  await removeTree(disk, aside)
  await disk.rename(directory, aside)
  await disk.syncDirectory(directory.slice(0, directory.lastIndexOf('/')))
  return aside
}

async function removeTree(disk: Disk, path: string): Promise<void> {
  const stat = await disk.stat(path)
  if (stat === undefined) return
  if (stat.kind === 'directory') for (const name of await disk.list(path)) await removeTree(disk, `${path}/${name}`)
  await disk.remove(path)
}
