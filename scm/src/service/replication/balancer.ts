import type { BalancerStatus, ContainerId, DatanodeId } from '../../api/api.ts'
import type { ClusterView } from '../../core/cluster-view.ts'
import { planBalance } from '../../core/planners/balance.ts'
import type { BalancePlan, Movable, Move } from '../../core/planners/balance.ts'
import { ecShape, replicasOf } from '../../core/planners/container-facts.ts'
import type { RepairTasks } from '../../core/planners/repair-tasks.ts'
import type { Topology } from '../../core/planners/topology.ts'
import { bytesOf, unitOf } from '../../core/planners/view-facts.ts'
import type { Judgements } from './judgements.ts'
import type { ReplicationConfig } from './replication-config.ts'
import type { UnitMemory } from './unit-memory.ts'

export interface BalanceRound {
  readonly topology: Topology
  readonly view: ClusterView
  readonly now: number
  readonly tasks: RepairTasks
  readonly judgements: Judgements
  readonly memory: UnitMemory
}

/** Asks the plan every now and then, within what may be moved in an interval. */
export class Balancer {
  private readonly limits: ReplicationConfig['balance']
  private isOn: boolean
  private last: BalancePlan = { moves: [], active: false, meanUsedShare: 0, largestDeviation: 0 }
  private nextMs = -Infinity
  private intervalMs = -Infinity
  private intervalBytes = 0
  private moves = 0
  private movedBytes = 0

  constructor(limits: ReplicationConfig['balance']) {
    this.limits = limits
    this.isOn = limits.atStart === 'on'
  }

  set(to: 'on' | 'off'): void {
    this.isOn = to === 'on'
    if (!this.isOn) this.last = { ...this.last, active: false }
  }

  status(tasks: RepairTasks): BalancerStatus {
    const { active, meanUsedShare, largestDeviation } = this.last
    const { moves, movedBytes } = this
    const movesUnderWay = movesOf(tasks).length
    return { on: this.isOn, active, meanUsedShare, largestDeviation, movesUnderWay, moves, movedBytes }
  }

  /** The moves to begin now. */
  next(round: BalanceRound): readonly Move[] {
    const { now, topology, tasks } = round
    if (!this.isOn || now < this.nextMs) return []
    this.nextMs = now + this.limits.everyMs
    if (now - this.intervalMs >= this.limits.intervalMs) {
      this.intervalMs = now
      this.intervalBytes = 0
    }
    const facts = {
      topology,
      active: this.last.active,
      moving: movesOf(tasks),
      budgetBytes: this.limits.bytesPerInterval - this.intervalBytes,
      movable: (datanode: DatanodeId) => movableOn(datanode, round),
    }
    this.last = planBalance(facts, this.limits)
    for (const { bytes } of this.last.moves) {
      this.moves += 1
      this.movedBytes += bytes
      this.intervalBytes += bytes
    }
    return this.last.moves
  }
}

function movesOf(tasks: RepairTasks): readonly Pick<Move, 'from' | 'bytes'>[] {
  return tasks.all().flatMap(({ movedFrom, bytes }) => (movedFrom === undefined ? [] : [{ from: movedFrom, bytes }]))
}

function* movableOn(datanode: DatanodeId, round: BalanceRound): Iterable<Movable> {
  const { view, tasks, judgements, memory, now } = round
  for (const id of view.containersOn(datanode)) {
    const container = view.container(id)
    if (container === undefined || container.row.state !== 'CLOSED' || container.pendingDeletions > 0) continue
    const unit = unitOf(id, container.row)
    if (!container.row.datanodes.includes(datanode) || judgements.tally.healthOf(unit) !== 'HEALTHY') continue
    if (tasks.ofUnit(unit).length > 0 || memory.readyMs(unit) > now || container.row.encoding !== undefined) continue
    const place = placeOf(id, view)
    if (place !== undefined) yield { container: id, bytes: bytesOf(container), ...place }
  }
}

/** How many there are to be of it, and where they all are. */
function placeOf(id: ContainerId, view: ClusterView): Pick<Movable, 'total' | 'holders'> | undefined {
  const row = view.container(id)?.row
  if (row === undefined) return undefined
  if (row.shardOf === undefined) return { total: replicasOf(row.replication), holders: row.datanodes }
  const group = view.container(row.shardOf.container)?.row.ec
  if (group === undefined) return undefined
  const { data, parity } = ecShape[group.policy]
  const holders = group.shards.flatMap((shard) => view.container(shard)?.row.datanodes ?? [])
  return { total: data + parity, holders }
}
