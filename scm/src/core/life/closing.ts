/**
 * How a container with several replicas comes to rest.
 *
 * A close through the pipeline's log puts the same blocks into each replica. Where the pipeline cannot agree any more, each member
 * seals what it has. Every acknowledged block is on a majority of the origins; so any majority of them together has all of
 * them, and one that was sealed through the log has them all by itself (ADR 11).
 */

import type { ContainerId, ContainerState } from '../../api/api.ts'
import { leaderOf } from '../cluster-view.ts'
import { majorityOf } from '../tables.ts'
import { changeTo, dueOnly, nothing } from './plan.ts'
import type { ContainerPlan, Due } from './plan.ts'
import { reconciliations, salvages } from './reconciliation.ts'
import { areSameContent, closedReports, isSealed, isVouchedFor } from './replicas.ts'
import type { ContainerFacts, Replica } from './replicas.ts'

export interface ClosingLimits {
  /** A pipeline that has lacked a majority for so long is not waited for. */
  readonly aloneAfterMs: number
}

export function planClosing(facts: ContainerFacts, limits: ClosingLimits): ContainerPlan {
  if (facts.row.shardOf !== undefined) return planShardClosing(facts)
  return facts.row.replication === 'RATIS/ONE' ? planSingleClosing(facts) : planAgreedClosing(facts, limits)
}

/** Whoever encodes closes it. */
function planShardClosing({ container, held }: ContainerFacts): ContainerPlan {
  return held.every(({ report }) => report?.state === 'CLOSED') ? to(container.id, 'CLOSED') : nothing
}

function planSingleClosing({ container, held }: ContainerFacts): ContainerPlan {
  // A damaged one is all there is: it is closed, so that what is deleted of it goes, and everybody sees that it is damaged.
  if (held.every(({ report }) => report?.state !== 'QUASI_CLOSED' && isSealed(report)))
    return to(container.id, 'CLOSED')
  return dueOnly(
    held.flatMap(({ datanode, report }): readonly Due[] => {
      if (report !== undefined && !isSealed(report))
        return [{ datanode, command: { kind: 'close-container', container: container.id } }]
      // Nobody ever wrote there: an empty closed container must exist to be reported, and then goes the usual way.
      if (report === undefined) return [{ datanode, command: { kind: 'create-container', container: container.id } }]
      return []
    }),
  )
}

function planAgreedClosing(facts: ContainerFacts, limits: ClosingLimits): ContainerPlan {
  const { container, held } = facts
  const isClosed = held.some(({ health, report }) => health !== 'DEAD' && report?.state === 'CLOSED')
  // The log has closed it: who has nothing of it gets it from the log, or a copy. An empty one made now nobody would ever close.
  const awaited = held.filter((replica) => isAwaited(replica) && !(isClosed && isMissing(replica)))
  if (awaited.length === 0 || !awaited.every(({ report }) => isSealed(report))) {
    return dueOnly(awaited.flatMap((replica) => closeOf(replica, facts, limits)))
  }
  const closed = closedReports(awaited)
  // None was closed by the log. Damaged ones among them lack what they lack: they count no more than those sealed alone.
  if (closed.length === 0) return to(container.id, 'QUASI_CLOSED')
  if (areSameContent(closed)) return to(container.id, 'CLOSED')
  return dueOnly(reconciliations(facts))
}

/** The dead are not waited for; nor who says that it has neither the container nor the pipeline any more: its disk is gone. */
function isAwaited({ health, isHeard, report, pipeline }: Replica): boolean {
  if (health === 'DEAD') return false
  return !(isHeard && report === undefined && pipeline === 'none')
}

function isMissing({ isHeard, report }: Replica): boolean {
  return isHeard && report === undefined
}

function closeOf(replica: Replica, facts: ContainerFacts, limits: ClosingLimits): readonly Due[] {
  const { datanode, report } = replica
  const { container, row } = facts
  if (isSealed(report)) return []
  const named = { container: container.id, ...(row.pipeline === undefined ? {} : { pipeline: row.pipeline }) }
  if (report === undefined)
    return replica.isHeard ? [{ datanode, command: { kind: 'create-container', ...named } }] : []
  const how = isLeftAlone(replica, facts, limits) ? 'alone' : 'agreed'
  return [{ datanode, command: { kind: 'close-container', ...named, how } }]
}

/**
 * Its own log is done for, or there are too few to agree, and not only for a moment. Or there were, and who leads now has
 * sealed its replica by itself: it would propose nothing any more.
 */
function isLeftAlone(replica: Replica, { pipeline, held, nowMs }: ContainerFacts, limits: ClosingLimits): boolean {
  if (pipeline === undefined || replica.pipeline === 'none') return true
  if (replica.pipeline !== 'unknown' && replica.pipeline.state === 'failed') return true
  const leader = leaderOf(pipeline)
  if (held.some(({ datanode, report }) => datanode === leader && report?.state === 'QUASI_CLOSED')) return true
  const { minoritySinceMs } = pipeline
  return minoritySinceMs !== undefined && nowMs - minoritySinceMs >= limits.aloneAfterMs
}

/**
 * Sealed alone, all of them: it waits until a majority of its origins is there, as far as they are vouched for, and has taken from
 * one another what it lacks. Or until every origin has been heard of, so that there is nobody left who could bring more: what is
 * there then is all. An origin that was away and has nothing of it has its log, if nothing was ever written here: then it
 * makes an empty replica and seals it, which vouches for that.
 */
export function planQuasiClosed(facts: ContainerFacts): ContainerPlan {
  const { container, row, held } = facts
  const alive = held.filter(({ health }) => health !== 'DEAD')
  const isAll = facts.origins.every(isAccountedFor)
  const counted = isAll ? alive : alive.filter((each) => row.origins.includes(each.datanode) && isVouchedFor(each))
  const closed = closedReports(counted)
  const majority = majorityOf(row.origins.length)
  const enough = isAll ? Math.min(majority, counted.length) : majority
  if (closed.length > 0 && closed.length >= enough && areSameContent(closed)) return to(container.id, 'CLOSED')
  // Also a member that comes back, and that the row does not count on any more.
  const others = facts.origins.filter(({ datanode, health }) => health !== 'DEAD' && !row.datanodes.includes(datanode))
  const due = [...alive, ...others].flatMap((each) => closeAlone(each, container.id))
  const hasAll = closed.length > 0 || counted.filter(isVouchedFor).length >= majority
  if (hasAll) return dueOnly([...due, ...reconciliations(facts)])
  return dueOnly([...due, ...(isAll ? salvages(facts) : facts.origins.flatMap((each) => questionTo(each, facts)))])
}

function closeAlone({ datanode, report }: Replica, container: ContainerId): readonly Due[] {
  if (report === undefined || isSealed(report)) return []
  return [{ datanode, command: { kind: 'close-container', container, how: 'alone' } }]
}

/** It has its log, and nothing of the container: what it makes from that is empty, if it never had anything of it. */
function questionTo(
  { datanode, report, isHeard, pipeline }: Replica,
  { container, row }: ContainerFacts,
): readonly Due[] {
  if (!isHeard || report !== undefined || pipeline === 'none' || pipeline === 'unknown') return []
  const { pipeline: named } = row
  return named === undefined
    ? []
    : [{ datanode, command: { kind: 'create-container', container: container.id, pipeline: named } }]
}

/** It has sealed its replica, or has none; or it will never be heard again. */
function isAccountedFor({ isGivenUp, isHeard, report }: Replica): boolean {
  return isGivenUp || (isHeard && (report === undefined || isSealed(report)))
}

function to(container: number, state: ContainerState): ContainerPlan {
  return changeTo({ kind: 'transition-container', container, to: state })
}
