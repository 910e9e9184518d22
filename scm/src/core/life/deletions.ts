/** When blocks of a container may be deleted, and by whom that is still to be done. */

import type { DatanodeId } from '../../api/api.ts'
import type { ClusterContainer } from '../cluster-view.ts'
import type { ContainerRow, DeletionRow } from '../tables.ts'

/**
 * With one replica, whenever it is there. With several, only once they all have the same blocks for good: closed, none of them
 * sealed alone and still lacking some. And never while a copy, or shards, are made of it, which would not know what they missed.
 */
export function mayDeleteBlocks({ row, reports }: Pick<ClusterContainer, 'row' | 'reports'>): boolean {
  if (row.state === 'DELETING' || row.ec !== undefined || row.encoding !== undefined) return false
  if (row.incoming.length > 0 || row.shardOf !== undefined) return false
  if (row.replication === 'RATIS/ONE') return true
  if (row.state !== 'CLOSED') return false
  return row.datanodes.every((id) => {
    const state = reports.get(id)?.state
    return state !== 'OPEN' && state !== 'QUASI_CLOSED'
  })
}

/** The replicas that have not said that they did. What was said before the last copy began does not count. */
export function waitingFor(row: ContainerRow, deletion: Pick<DeletionRow, 'done' | 'copies'>): readonly DatanodeId[] {
  if (deletion.copies !== row.copies) return row.datanodes
  return row.datanodes.filter((id) => !deletion.done.includes(id))
}

/** True when nobody is to be asked any more: the container is gone, or encoded, or all have said so. */
export function canBeSettled(row: ContainerRow | undefined, deletion: Pick<DeletionRow, 'done' | 'copies'>): boolean {
  if (row === undefined || row.ec !== undefined) return true
  if (row.incoming.length > 0 || row.datanodes.length === 0) return false
  return waitingFor(row, deletion).length === 0
}
