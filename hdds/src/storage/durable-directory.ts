import type { Disk } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'

/** Like `mkdir -p`, and durable: the names of all directories above are synced, whoever made them. */
export async function makeDurableDirectory(disk: Disk, path: string): Promise<void> {
  await disk.makeDirectory(path)
  for (let parent = parentOf(path); parent !== undefined; parent = parentOf(parent)) {
    try {
      await disk.syncDirectory(parent)
    } catch (error) {
      // A directory that we may not read is not one that we have just made.
      if (!(error instanceof StoreError) || error.details['errno'] !== 'EACCES') throw error
      return
    }
  }
}

/** Undefined for a root; `.` above a relative name. */
function parentOf(path: string): string | undefined {
  if (path === '/' || path === '.') return undefined
  const trimmed = path.endsWith('/') ? path.slice(0, -1) : path
  const slash = trimmed.lastIndexOf('/')
  if (slash < 0) return '.'
  return slash === 0 ? '/' : trimmed.slice(0, slash)
}
