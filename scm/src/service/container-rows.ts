import type { ReplicatedStore } from '@o3/ratis/api'
import type { ContainerId } from '../api/api.ts'
import type { ScmCommand, ScmReply } from '../core/command.ts'
import { containers } from '../core/tables.ts'
import type { ContainerRow } from '../core/tables.ts'

export interface FoundContainer {
  readonly id: ContainerId
  readonly row: ContainerRow
}

const pageRows = 1000

/** All containers of one moment, in the order of their ids. Linearizable, or `NotLeader`. */
export function readContainers(
  store: Pick<ReplicatedStore<ScmCommand, ScmReply>, 'read'>,
): Promise<readonly FoundContainer[]> {
  return store.read(async (view) => {
    const cursor = view.cursor(containers, { from: '' })
    try {
      const found: FoundContainer[] = []
      for (;;) {
        const page = await cursor.next(pageRows)
        if (page.length === 0) return found
        for (const { key, value } of page) found.push({ id: key, row: value })
      }
    } finally {
      await cursor.close()
    }
  })
}
