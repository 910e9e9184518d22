/** What is wrong with a part, in one sentence. A full disk is not among it where there is but one: reads and deletes go on. */

import type { LocalDatanode } from '@o3/hdds/module'
import type { StoreStatus } from '@o3/ratis/api'

export function logProblem(name: string, store: { status(): Pick<StoreStatus, 'failed'> }): string | undefined {
  const { failed } = store.status()
  return failed === undefined ? undefined : `the log of ${name} has failed: ${failed.message}`
}

export function diskProblem(datanode: Pick<LocalDatanode, 'disks' | 'awayDisks'>): string | undefined {
  const [away] = datanode.awayDisks
  if (away !== undefined) return `the disk ${away.path} is left out: ${away.why}`
  const failed = datanode.disks().find((disk) => disk.state === 'failed')
  if (failed === undefined) return undefined
  return `the disk ${failed.path} has failed${failed.problem === undefined ? '' : `: ${failed.problem}`}`
}
