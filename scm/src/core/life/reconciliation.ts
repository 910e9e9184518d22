import type { ContainerId, DatanodeId } from '../../api/api.ts'
import type { Due } from './plan.ts'
import { areSameContent, isSealed, isVouchedFor } from './replicas.ts'
import type { ContainerFacts, Replica } from './replicas.ts'

/**
 * Which replicas are to take from others what they lack. One that was sealed alone takes from those that were not, if there
 * are any. Else origins take from one another, and whatever else there is waits for them: what takes from others only may lack
 * what none of them has. Those that were closed and differ all the same take from one another; but not while deletions are under
 * way, which make them differ for a while.
 */
export function reconciliations({ container, row, held }: ContainerFacts): readonly Due[] {
  const there = held.filter(({ isHeard, report }) => isHeard && isSealed(report))
  const closed = there.filter(({ report }) => report?.state === 'CLOSED')
  const alone = there.filter(({ report }) => report?.state === 'QUASI_CLOSED')
  const origins = alone.filter(isVouchedFor)
  const [taking, from] = closed.length > 0 ? [alone, closed] : [origins, origins]
  const due = taking.flatMap((replica) => take(replica, from, container.id))
  // Before it is closed deletions wait, also for this.
  const isDeleting = row.state === 'CLOSED' && container.pendingDeletions > 0
  const isFine = isDeleting || areSameContent(closed.flatMap(({ report }) => report ?? []))
  return isFine ? due : [...due, ...closed.flatMap((replica) => take(replica, closed, container.id))]
}

/**
 * When there is nobody else to take from, and none that was closed by agreement: each takes from whoever there is, and one that
 * is left over from nobody; then it is whole.
 */
export function salvages({ container, held }: ContainerFacts): readonly Due[] {
  const there = held.filter(({ isHeard, report }) => isHeard && isSealed(report))
  const alone = there.filter(({ report }) => report?.state === 'QUASI_CLOSED')
  const isLast = held.filter(({ health }) => health !== 'DEAD').length === 1
  return alone.flatMap(({ datanode }): readonly Due[] => {
    const sources = othersThan(datanode, there)
    if (sources.length === 0 && !isLast) return []
    return [{ datanode, command: { kind: 'salvage', container: container.id, sources } }]
  })
}

function take({ datanode }: Replica, from: readonly Replica[], container: ContainerId): readonly Due[] {
  const sources = othersThan(datanode, from)
  return sources.length === 0 ? [] : [{ datanode, command: { kind: 'reconcile', container, sources } }]
}

function othersThan(datanode: DatanodeId, from: readonly Replica[]): readonly DatanodeId[] {
  return from.map((each) => each.datanode).filter((id) => id !== datanode)
}
