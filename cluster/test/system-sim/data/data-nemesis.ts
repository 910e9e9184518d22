import type { Cancel } from '@o3/common/env'
import type { SimRandom } from '@o3/common/env/sim'
import { isStoreError } from '@o3/common/errors'
import { insist } from '../insist.ts'
import type { Supervisor } from '../supervisor.ts'
import { dataFaults, type DataFault } from './data-plan.ts'
import type { DataWorld } from './data-world.ts'
import type { DatanodeMachine } from './datanode-machine.ts'
import type { Gateway } from './gateway.ts'
import { GroundTruth } from './ground-truth.ts'

/** Fewer in service, and not every container can be whole. */
const fewestInService = 5

/** Injects the faults of the plan, each kind by itself, until it is stopped; then all that it did is undone. */
export class DataNemesis {
  readonly counts = new Map<DataFault, number>()
  private readonly world: DataWorld
  private readonly supervisor: Supervisor
  private readonly gateway: Gateway
  private readonly random: SimRandom
  private readonly truth: GroundTruth
  private readonly repairs = new Set<Cancel>()
  private readonly doing: Promise<void>[] = []
  private leaving: string | undefined
  private isOver = false

  constructor(world: DataWorld, supervisor: Supervisor, gateway: Gateway) {
    this.world = world
    this.supervisor = supervisor
    this.gateway = gateway
    this.random = world.random.fork('nemesis')
    this.truth = new GroundTruth(world)
  }

  start(): void {
    for (const kind of dataFaults) {
      const perMinute = this.world.plan.perMinute[kind]
      if (perMinute !== undefined) this.doing.push(this.world.guarded(this.keepOn(kind, 60_000 / perMinute)))
    }
  }

  /** No new faults; those that last are repaired. Half of the datanodes that were to leave stay away. */
  async stop(): Promise<void> {
    this.isOver = true
    this.repairAll()
    await Promise.all(this.doing)
    this.repairAll()
    if (this.leaving !== undefined && this.random.chance(0.5)) await this.call(this.leaving, 'IN_SERVICE', 20_000)
  }

  private repairAll(): void {
    for (const repair of this.repairs) repair()
  }

  /** Undone after so long, or when all is. */
  private for(durationMs: number, undo: Cancel): void {
    const repair = (): void => {
      cancel()
      this.repairs.delete(repair)
      undo()
    }
    const cancel = this.world.simulation.clock.after(durationMs, repair)
    this.repairs.add(repair)
  }

  private async keepOn(kind: DataFault, meanMs: number): Promise<void> {
    const { clock } = this.world.simulation
    for (;;) {
      const endMs = clock.monotonicMs() - Math.log(1 - this.random.fraction()) * meanMs
      while (!this.isOver && clock.monotonicMs() < endMs) await clock.sleep(Math.min(200, endMs - clock.monotonicMs()))
      if (this.isOver) return
      if ((await this.faults[kind]()) === false) continue
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
    }
  }

  private any<T>(choices: readonly T[]): T | undefined {
    return choices[this.random.below(choices.length)]
  }

  private below(limit: number): number {
    return this.random.below(limit)
  }

  private tell(what: string): void {
    this.world.tell(`  ${what}`)
  }

  private on(
    kind: DataFault,
    act: (machine: DatanodeMachine) => boolean | void | Promise<boolean>,
  ): () => Promise<boolean> {
    return async () => {
      const machine = this.any(this.world.datanodes.filter(({ life }) => life !== undefined))
      if (machine === undefined || (await act(machine)) === false) return false
      this.tell(`${kind} ${machine.id}`)
      return true
    }
  }

  private readonly faults: Readonly<Record<DataFault, () => Promise<boolean>>> = {
    kill: this.on('kill', (machine) => machine.down('kill')),
    crash: this.on('crash', (machine) => machine.down('crash')),
    'power-cut': async () => {
      this.tell('power-cut')
      for (const { node } of this.world.datanodes) node.crash()
      return true
    },
    pause: this.on('pause', ({ node }) => this.for(200 + this.below(4_000), node.pause())),
    absence: this.on('absence', (machine) => this.leave(machine, 3_000 + this.below(12_000))),
    partial: async () => {
      const [a, b] = [this.any(this.world.machines) ?? '', this.any(this.world.machines) ?? '']
      if (a === b) return false
      this.tell(`partial ${a} ${b}`)
      this.cut(a, b, 500 + this.below(6_000))
      return true
    },
    isolate: this.on('isolate', ({ id }) => {
      const durationMs = 500 + this.below(8_000)
      for (const other of this.world.machines) if (other !== id) this.cut(id, other, durationMs)
    }),
    'rack-cut': async () => {
      const rack = this.any(this.world.datanodes)?.rack ?? ''
      this.tell(`rack-cut ${rack}`)
      const durationMs = 500 + this.below(8_000)
      const within = this.world.datanodes.filter((each) => each.rack === rack).map(({ id }) => id)
      const without = this.world.machines.filter((id) => !within.includes(id))
      for (const a of within) for (const b of without) this.cut(a, b, durationMs)
      return true
    },
    'slow-disk': this.on('slow-disk', ({ id }) => {
      this.world.diskSlowness.set(id, 5 + this.below(60))
      this.for(500 + this.below(5_000), () => this.world.diskSlowness.delete(id))
    }),
    'full-disk': this.on('full-disk', ({ node }) => {
      const { capacityBytes } = node.disk
      if (capacityBytes < fullBytes) return false
      node.disk.capacityBytes = this.below(fullBytes)
      this.for(500 + this.below(6_000), () => {
        node.disk.capacityBytes = capacityBytes
      })
      return true
    }),
    'sync-failure': this.on('sync-failure', ({ node }) => {
      const path = this.any([/\/containers\//, /\/pipelines\//, /\//] as const) ?? /\//
      this.for(3_000, node.disk.inject({ operation: 'sync', errno: 'EIO', path, after: this.below(8) }))
    }),
    'clock-step': this.on('clock-step', ({ life }) => {
      if (life !== undefined) life.process.clock.wallOffsetMs += (this.random.fraction() - 0.5) * this.below(60_000)
    }),
    flip: this.on('flip', async (machine) => {
      const what = await this.truth.flip(machine, this.gateway, (limit) => this.below(limit))
      if (what !== undefined) this.tell(`flip ${machine.id} ${what}`)
      return what !== undefined
    }),
    wipe: this.on('wipe', async (machine) => {
      if (!(await this.truth.takeDisk(machine, this.gateway))) return false
      if (machine.node.isUp) machine.down('crash')
      machine.replaceDisk()
      return true
    }),
    'disk-loss': this.on('disk-loss', async (machine) => {
      const path = this.any(machine.disks) ?? ''
      // As far as is known outside, what is on its other disk may be of no use without this one.
      if (machine.disks.length === 1 || !(await this.truth.takeDisk(machine, this.gateway))) return false
      if (machine.node.isUp) machine.down('crash')
      await machine.loseDisk(path)
      return true
    }),
    'disk-away': this.on('disk-away', async (machine) => {
      const path = this.any(machine.disks) ?? ''
      // Until it is back it is as good as lost; what it comes back with is old.
      if (machine.disksThere === 1 || !(await this.truth.takeDisk(machine, this.gateway))) return false
      if (machine.node.isUp) machine.down(this.random.chance(0.5) ? 'kill' : 'crash')
      machine.pullDisk(path)
      this.for(1_000 + this.below(20_000), () => {
        machine.returnDisk(path)
        if (machine.node.isUp) machine.down('kill')
      })
      return true
    }),
    decommission: this.on('decommission', async ({ id }) => {
      if (this.leaving !== undefined || this.world.plan.datanodes <= fewestInService) return false
      if (!(await this.call(id, 'DECOMMISSIONED', 2_000))) return false
      this.leaving = id
      return true
    }),
    'scm-kill': async () => {
      const member = this.any(this.world.scm.members.filter(({ life }) => life !== undefined))
      if (member === undefined) return false
      this.tell(`scm-kill ${member.id}`)
      member.down(this.random.chance(0.5) ? 'kill' : 'crash')
      return true
    },
    'scm-transfer': async () => {
      const { leader } = this.world.scm
      if (leader?.life === undefined || this.world.plan.scmMembers === 1) return false
      this.tell(`scm-transfer ${leader.id}`)
      const { raft } = leader.life
      await insist(this.world.simulation.clock, 1, () => leader.node.whileUp(raft.transferLeadership()))
      return true
    },
  }

  private leave(machine: DatanodeMachine, durationMs: number): boolean {
    this.supervisor.rest(machine)
    this.for(durationMs, () => this.supervisor.wake(machine))
    return true
  }

  /** False: it is refused, because too few would be left. */
  private async call(datanode: string, wanted: 'DECOMMISSIONED' | 'IN_SERVICE', withinMs: number): Promise<boolean> {
    const { env, scm } = this.gateway
    const requestId = env.random.uuid()
    const ask = async (): Promise<boolean> => {
      try {
        await scm.setOperational({ datanode, wanted }, { requestId })
        return true
      } catch (error) {
        if (isStoreError(error, 'InvalidArgument')) return false
        throw error
      }
    }
    const outcome = await insist(env.clock, withinMs, ask)
    return outcome.kind === 'answer' ? outcome.value : outcome.kind === 'lost'
  }

  private cut(a: string, b: string, durationMs: number): void {
    this.for(durationMs, this.world.simulation.network.partition(a, b))
  }
}

/** About what a datanode has. */
const fullBytes = 12 * 1024 * 1024
