import type { DatanodeId } from '../api/api.ts'
import type { Cluster } from './cluster.ts'
import type { NodeRegistry } from './node-registry.ts'

/**
 * Sees to it that each datanode that is heard has its row, with its present address and rack. Datanodes register with every
 * member, and only the leader writes rows: a registration that the old leader missed would never be written down. So a leader
 * writes what differs of each datanode that it hears from; a row that is right costs no log entry.
 *
 * Only for a datanode that is speaking now: what this member heard long ago may be an address that it has left, and must
 * not overwrite the one that another member was told since.
 */
export async function enrol(id: DatanodeId, cluster: Cluster, registry: NodeRegistry): Promise<void> {
  const live = registry.view(id)
  if (live === undefined) return
  const { address, rack } = live
  const row = cluster.nodes.get(id)?.row
  if (row !== undefined && row.address === address && (rack === undefined || row.rack === rack)) return
  await cluster.execute({ kind: 'register-node', id, address, rack })
}
