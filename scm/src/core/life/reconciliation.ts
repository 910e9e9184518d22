import type { Due } from './plan.ts'
import { areSameContent, isSealed } from './replicas.ts'
import type { ContainerFacts, Replica } from './replicas.ts'

/**
 * Which replicas are to take from others what they lack. One that was sealed alone takes from those that were not, if there
 * are any, else from all the others. Those that were closed and differ all the same take from one another; but not while
 * deletions are under way, which make them differ for a while.
 */
export function reconciliations({ container, held }: ContainerFacts): readonly Due[] {
  const there = held.filter(({ isHeard, report }) => isHeard && isSealed(report))
  const closed = there.filter(({ report }) => report?.state === 'CLOSED')
  const alone = there.filter(({ report }) => report?.state === 'QUASI_CLOSED')
  const due = alone.flatMap((replica) => take(replica, closed.length > 0 ? closed : there, container.id))
  const mayDiffer = container.pendingDeletions > 0 || areSameContent(closed.flatMap(({ report }) => report ?? []))
  return mayDiffer ? due : [...due, ...closed.flatMap((replica) => take(replica, closed, container.id))]
}

function take({ datanode }: Replica, from: readonly Replica[], container: number): readonly Due[] {
  const sources = from.map((each) => each.datanode).filter((id) => id !== datanode)
  return sources.length === 0 ? [] : [{ datanode, command: { kind: 'reconcile', container, sources } }]
}
