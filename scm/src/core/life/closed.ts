/** Of a container at rest: when it goes, and how its row follows what datanodes have. */

import type { ContainerReport } from '../../api/api.ts'
import type { Replicas } from '../command.ts'
import { changeTo, dueOnly } from './plan.ts'
import type { ContainerPlan, Due } from './plan.ts'
import { reconciliations } from './reconciliation.ts'
import { spentBlocks } from '../recorded-deletions.ts'
import { isSameContent, isSealed, wantedReplicas } from './replicas.ts'
import type { ContainerFacts, Replica } from './replicas.ts'

export function planClosed(facts: ContainerFacts): ContainerPlan {
  const { container, row } = facts
  if (row.ec !== undefined) return planEncoded(facts)
  if (isDisposable(facts)) return changeTo({ kind: 'transition-container', container: container.id, to: 'DELETING' })
  return dueOnly([...reconciliations(facts), ...strayDeletions(facts)])
}

/** Its blocks are in its shards: replicas go, and are no loss when their datanode is lost first. */
function planEncoded(facts: ContainerFacts): ContainerPlan {
  const { row, held, strays } = facts
  const left = held.filter(({ isHeard, report, health }) => health !== 'DEAD' && !(isHeard && report === undefined))
  if (left.length < held.length) {
    return setReplicas(facts, { datanodes: left.map(({ datanode }) => datanode), incoming: row.incoming })
  }
  return dueOnly([...held, ...strays].flatMap((replica) => deletionOf(replica, facts)))
}

/** A closed container takes no more blocks, so empty once is empty for ever. */
function isDisposable({ container, row, held }: ContainerFacts): boolean {
  if (row.shardOf !== undefined || row.encoding !== undefined || row.incoming.length > 0) return false
  return container.pendingDeletions === 0 && held.length > 0 && held.every(({ report }) => isEmpty(report))
}

function isEmpty(report: ContainerReport | undefined): boolean {
  return report?.state === 'CLOSED' && report.blockCount === 0
}

/**
 * How the row follows the reports, for a container that is sealed; undefined when it does. A copy that was made counts from
 * its first report on; one whose datanode has died is not waited for; a replica that its datanode does not have any more
 * is given up, unless it is the last that is known; one that nobody counted on is taken in when it is wanted.
 */
export function planReplicas(facts: ContainerFacts): ContainerPlan | undefined {
  const { row, held, incoming, strays } = facts
  if (row.ec !== undefined) return undefined
  const made = incoming.filter(({ isHeard, report }) => isHeard && isSealed(report))
  const givenUp = incoming.filter(({ health }) => health === 'DEAD')
  const there = [...held, ...made].filter(({ report }) => report !== undefined)
  const lost = there.length === 0 ? [] : held.filter(({ isHeard, report }) => isHeard && report === undefined)
  const adopted = strays.filter((stray) => isWanted(stray, facts)).slice(0, 1)
  if (made.length + givenUp.length + lost.length + adopted.length === 0) return undefined
  const idsOf = (replicas: readonly Replica[]) => new Set(replicas.map(({ datanode }) => datanode))
  const [gone, arrived] = [idsOf(lost), idsOf([...made, ...givenUp])]
  return setReplicas(facts, {
    datanodes: [...row.datanodes.filter((id) => !gone.has(id)), ...idsOf(made), ...idsOf(adopted)],
    incoming: row.incoming.filter((id) => !arrived.has(id)),
  })
}

/**
 * A replica that comes back, or a copy that was given up and finished late. It may lack deletions that all others carried out
 * meanwhile: so it is taken in only where it has the same blocks as the others, or where there are no others. A container
 * that was sealed alone has had no deletions, and every origin of it is worth having.
 */
function isWanted(stray: Replica, { container, row, held }: ContainerFacts): boolean {
  const { report } = stray
  if (!stray.isHeard || !isSealed(report) || report.state === 'UNHEALTHY') return false
  const alive = held.filter(
    ({ health, report: its }) => health !== 'DEAD' && isSealed(its) && its.state !== 'UNHEALTHY',
  )
  if (alive.length === 0) return true
  if (row.state === 'QUASI_CLOSED' && row.origins.includes(stray.datanode)) return true
  if (alive.length >= wantedReplicas(row)) return false
  if (row.state === 'QUASI_CLOSED') return true
  if (report.state !== 'CLOSED' || container.pendingDeletions > 0) return false
  return alive.every(({ report: its }) => its !== undefined && isSameContent(its, report))
}

/** A stray that is not wanted goes, as long as a good replica is alive that the row counts on. */
export function strayDeletions(facts: ContainerFacts): readonly Due[] {
  const isKept = facts.held.some(({ health, report }) => health === 'HEALTHY' && report?.state === 'CLOSED')
  if (!isKept) return []
  return facts.strays.filter((stray) => !isWanted(stray, facts)).flatMap((stray) => deletionOf(stray, facts))
}

/** Deltas cannot say "gone"; the full report that follows does. */
function deletionOf({ datanode, isHeard, report }: Replica, { container }: ContainerFacts): readonly Due[] {
  if (!isHeard || report === undefined) return []
  return [
    { datanode, command: { kind: 'delete-container', container: container.id } },
    { datanode, command: { kind: 'full-report' } },
  ]
}

/**
 * The dead are not waited for: whoever comes back with a container that has no row is told to delete it. Records of its deleted
 * blocks go first: without the row nobody would look for them.
 */
export function planDeleting(facts: ContainerFacts): ContainerPlan {
  const { container, row, held, strays } = facts
  const isGone = held.every(({ health, isHeard, report }) => health === 'DEAD' || (isHeard && report === undefined))
  if (isGone && spentBlocks(row) === 0) {
    return changeTo({ kind: 'transition-container', container: container.id, to: 'DELETED' })
  }
  return dueOnly([...held, ...strays].flatMap((replica) => deletionOf(replica, facts)))
}

function setReplicas({ container, row }: ContainerFacts, becomes: Replicas): ContainerPlan {
  const { datanodes, incoming } = row
  return changeTo({ kind: 'set-replicas', container: container.id, was: { datanodes, incoming }, becomes })
}
