/** What an administrator's wish for a datanode means, and whether the cluster can bear it. */

import type { NodeOperationalState, OperationalRequest } from '../api/api.ts'
import type { ClusterView } from './cluster-view.ts'

/** The state to go to first; the one that is wanted follows when copies have been made. */
export function firstStateFor(
  wanted: OperationalRequest['wanted'],
  present: NodeOperationalState,
): NodeOperationalState {
  if (wanted === present) return present
  if (wanted === 'IN_SERVICE') return 'IN_SERVICE'
  return wanted === 'DECOMMISSIONED' ? 'DECOMMISSIONING' : 'ENTERING_MAINTENANCE'
}

/** For people; undefined when enough datanodes stay: three where there are, one otherwise. */
export function whyNotLeave({ datanode }: OperationalRequest, view: Pick<ClusterView, 'nodes'>): string | undefined {
  const inService = [...view.nodes.values()].filter(
    ({ row, health }) => row.operational === 'IN_SERVICE' && health !== 'DEAD',
  )
  if (!inService.some(({ id }) => id === datanode)) return undefined
  const left = inService.length - 1
  const needed = inService.length >= 3 ? 3 : 1
  if (left >= needed) return undefined
  return `without datanode ${datanode} there are ${left} in service, and ${needed} are needed; force does it all the same`
}
