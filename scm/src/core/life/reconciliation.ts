import type { Due } from './plan.ts'
import { areSameContent, isSealed } from './replicas.ts'
import type { ContainerFacts, Replica } from './replicas.ts'

/**
 * Which replicas are to take from others what they lack. One that was sealed alone takes from those that were not, if there
 * are any, else from all the others. Those that were closed and differ all the same take from one another; but not while
 * deletions are under way, which make them differ for a while.
 */
export function reconciliations({ container, row, held }: ContainerFacts): readonly Due[] {
  const there = held.filter(({ isHeard, report }) => isHeard && isSealed(report))
  const closed = there.filter(({ report }) => report?.state === 'CLOSED')
  const alone = there.filter(({ report }) => report?.state === 'QUASI_CLOSED')
  const due = alone.flatMap((replica) => take(replica, closed.length > 0 ? closed : there, container.id))
  // Before it is closed deletions wait, also for this.
  const isDeleting = row.state === 'CLOSED' && container.pendingDeletions > 0
  const isFine = isDeleting || areSameContent(closed.flatMap(({ report }) => report ?? []))
  return isFine ? due : [...due, ...closed.flatMap((replica) => take(replica, closed, container.id))]
}

/** When there is nobody else to take from: one that is left over takes from nobody, and is whole. */
export function reconciliationsOfAll(facts: ContainerFacts): readonly Due[] {
  const { container, held } = facts
  const alone = held.filter(({ isHeard, report }) => isHeard && report?.state === 'QUASI_CLOSED')
  const [only] = alone
  if (only === undefined || held.filter(({ health }) => health !== 'DEAD').length > 1) return reconciliations(facts)
  return [{ datanode: only.datanode, command: { kind: 'reconcile', container: container.id, sources: [] } }]
}

function take({ datanode }: Replica, from: readonly Replica[], container: number): readonly Due[] {
  const sources = from.map((each) => each.datanode).filter((id) => id !== datanode)
  return sources.length === 0 ? [] : [{ datanode, command: { kind: 'reconcile', container, sources } }]
}
