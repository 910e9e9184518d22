import type { Disk } from '@o3/common/env'

/**
 * Makes the directory if it is not there; its name is durable when this resolves. That of its parent is the caller's
 * business. An existing one is synced as well: a process that was killed may have left it in the cache only.
 */
export async function makeDurableDirectory(disk: Disk, path: string): Promise<void> {
  await disk.makeDirectory(path)
  const slash = path.lastIndexOf('/')
  await disk.syncDirectory(slash < 0 ? '.' : slash === 0 ? '/' : path.slice(0, slash))
}
