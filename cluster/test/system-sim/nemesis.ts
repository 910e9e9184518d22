import type { Cancel } from '@o3/common/env'
import type { SimRandom } from '@o3/common/env/sim'
import { isStoreError } from '@o3/common/errors'
import { logSites } from '@o3/ratis/log'
import { storeSites } from '@o3/ratis/store'
import { faultKinds, type FaultKind } from './plan.ts'
import type { MemberGroup } from './member-group.ts'
import type { Supervisor } from './supervisor.ts'
import type { AnyMember, SystemWorld } from './world.ts'

const sites: readonly string[] = [
  ...logSites,
  ...storeSites,
  'store.install.before-switch',
  'store.install.after-reset',
]

/** Injects the faults of the plan, each kind by itself, until it is stopped; then all that it did is undone. */
export class Nemesis {
  readonly counts = new Map<FaultKind, number>()
  readonly random: SimRandom
  private readonly world: SystemWorld
  private readonly supervisor: Supervisor
  private readonly repairs = new Set<Cancel>()
  private readonly doing: Promise<void>[] = []
  private isOver = false

  constructor(world: SystemWorld, supervisor: Supervisor) {
    this.world = world
    this.supervisor = supervisor
    this.random = world.random.fork('nemesis')
  }

  start(): void {
    for (const { watch } of this.world.groups) watch.onLeader = (id) => this.greet(id)
    for (const kind of faultKinds) {
      const perMinute = this.world.plan.perMinute[kind]
      if (perMinute !== undefined) this.doing.push(this.keepOn(kind, 60_000 / perMinute))
    }
  }

  /** Somebody has just begun to lead. */
  private greet(id: string): void {
    const { random, world } = this
    if (this.isOver || !random.chance(world.plan.malice)) return
    const kind = this.any(['kill', 'crash', 'isolate', 'pause'] as const)
    world.simulation.clock.after(random.below(300), () => {
      const member = world.members.find((each) => each.id === id)
      if (this.isOver || kind === undefined || member?.life === undefined) return
      this.tell(`${kind} ${id}, which leads now`)
      this.strike[kind](member)
      this.count(kind)
    })
  }

  private count(kind: FaultKind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
  }

  /** No new faults; those that last are repaired. */
  async stop(): Promise<void> {
    this.isOver = true
    this.repairAll()
    await Promise.all(this.doing)
    this.repairAll()
  }

  repairAll(): void {
    const { repairs } = this
    for (const repair of repairs) repair()
  }

  /** Undone after so long, or when all is. */
  for(durationMs: number, undo: Cancel): void {
    const { clock } = this.world.simulation
    const repair = (): void => {
      cancel()
      this.repairs.delete(repair)
      undo()
    }
    const cancel = clock.after(durationMs, repair)
    this.repairs.add(repair)
  }

  private async keepOn(kind: FaultKind, meanMs: number): Promise<void> {
    const { clock } = this.world.simulation
    for (;;) {
      const pauseMs = -Math.log(1 - this.random.fraction()) * meanMs
      const endMs = clock.monotonicMs() + pauseMs
      while (!this.isOver && clock.monotonicMs() < endMs) await clock.sleep(Math.min(200, endMs - clock.monotonicMs()))
      if (this.isOver) return
      const didIt = await this.faults[kind]()
      if (didIt) this.count(kind)
    }
  }

  private any<T>(choices: readonly T[]): T | undefined {
    return choices[this.random.below(choices.length)]
  }

  private tell(what: string): void {
    this.world.tell(`  ${what}`)
  }

  /** One that runs; leaders more often, for more depends on them. */
  private victim(): AnyMember | undefined {
    const up = this.world.members.filter(({ life }) => life !== undefined)
    const leaders = up.filter(({ life }) => life?.raft.mayPropose === true)
    return this.any(this.random.chance(0.4) && leaders.length > 0 ? leaders : up)
  }

  private on(kind: FaultKind, act: (member: AnyMember) => boolean | void): () => Promise<boolean> {
    return () => {
      const member = this.victim()
      if (member !== undefined) this.tell(`${kind} ${member.id}`)
      return Promise.resolve(member !== undefined && act(member) !== false)
    }
  }

  private readonly strike = {
    kill: (member: AnyMember): void => member.down('kill'),
    crash: (member: AnyMember): void => member.down('crash'),
    pause: ({ node }: AnyMember): void => this.for(200 + this.random.below(4_000), node.pause()),
    isolate: ({ id }: AnyMember): void => {
      for (const other of this.world.machines) if (other !== id) this.cut(id, other, 500 + this.random.below(5_000))
    },
  }

  private readonly faults: Readonly<Record<FaultKind, () => Promise<boolean>>> = {
    kill: this.on('kill', this.strike.kill),
    crash: this.on('crash', this.strike.crash),
    'power-cut': async () => {
      this.tell('power-cut')
      for (const { node } of this.world.members) node.crash()
      return true
    },
    'crash-at-site': this.on('crash-at-site', ({ node }) => {
      const site = this.any(sites)
      const how = this.random.chance(0.7) ? 'crash' : 'kill'
      const hits = this.random.below(3)
      let passed = 0
      node.onSite = (each) => (each === site && passed++ === hits ? how : 'go-on')
      this.for(8_000, () => {
        node.onSite = () => 'go-on'
      })
    }),
    pause: this.on('pause', this.strike.pause),
    'clock-step': this.on('clock-step', ({ life }) => {
      if (life !== undefined)
        life.process.clock.wallOffsetMs += (this.random.fraction() - 0.5) * 2 * this.random.below(60_000)
    }),
    'clock-drift': this.on('clock-drift', (member) => {
      const { drift } = this.world.plan
      member.clockRate = 1 + (2 * this.random.fraction() - 1) * drift
      return drift > 0
    }),
    isolate: this.on('isolate', this.strike.isolate),
    'one-way': async () => {
      const [from, to] = this.pair()
      this.tell(`one-way ${from} > ${to}`)
      this.for(500 + this.random.below(5_000), this.world.simulation.network.block(from, to))
      return true
    },
    partial: async () => {
      const [a, b] = this.pair()
      this.tell(`partial ${a} ${b}`)
      this.cut(a, b, 500 + this.random.below(5_000))
      return true
    },
    'slow-link': async () => {
      const [from, to] = this.pair()
      this.for(500 + this.random.below(5_000), this.world.simulation.network.slow(from, to, this.random.below(400)))
      return true
    },
    resets: async () => {
      const { network } = this.world.simulation
      network.resetChance = this.random.fraction() * 0.02
      this.for(this.random.below(4_000), () => {
        network.resetChance = 0
      })
      return true
    },
    messages: async () => {
      const { world } = this
      world.mischief = { loss: this.random.fraction() * 0.3, duplicate: 0.2, late: 0.2 }
      this.for(this.random.below(4_000), () => {
        world.mischief = world.plan.messages
      })
      return true
    },
    'slow-disk': this.on('slow-disk', ({ id }) => {
      this.world.diskSlowness.set(id, 5 + this.random.below(60))
      this.for(500 + this.random.below(4_000), () => this.world.diskSlowness.delete(id))
    }),
    'sync-failure': this.on('sync-failure', ({ node }) => {
      const fault = { operation: 'sync', errno: 'EIO', path: /\/log\//, after: this.random.below(5) } as const
      this.for(2_000, node.disk.inject(fault))
    }),
    'full-disk': this.on('full-disk', ({ node }) => {
      const { capacityBytes } = node.disk
      if (capacityBytes < fullBytes) return false
      node.disk.capacityBytes = this.random.below(fullBytes)
      this.for(500 + this.random.below(4_000), () => {
        node.disk.capacityBytes = capacityBytes
      })
      return true
    }),
    flip: async () => {
      const member = this.mayLose()
      if (member === undefined) return false
      const path = await member.flip(this.random)
      if (path !== undefined) this.tell(`flip ${member.id} ${path}`)
      return path !== undefined
    },
    blank: async () => {
      const member = this.mayLose()
      if (member === undefined) return false
      this.tell(`blank ${member.id}`)
      member.down('crash')
      member.replaceDisk()
      return true
    },
    'replace-member': () => (this.random.chance(0.5) ? this.replace(this.world.om) : this.replace(this.world.scm)),
    transfer: this.attempt('transfer', (member) => member.life?.raft.transferLeadership()),
    checkpoint: this.attempt('checkpoint', (member) => member.life?.store.checkpoint()),
  }

  private mayLose(): AnyMember | undefined {
    const member = this.victim()
    return member !== undefined && this.world.mayLose(member) ? member : undefined
  }

  /** Somebody new takes the place of somebody old. */
  private async replace<Command, Reply>(group: MemberGroup<Command, Reply>): Promise<boolean> {
    const { supervisor, random, world } = this
    const done = await group.replaceOne({
      random,
      clock: world.simulation.clock,
      isOver: () => this.isOver,
      came: (member) => {
        const newcomer = member as unknown as AnyMember
        supervisor.keep(newcomer)
        if (group.name === 'scm') world.talkTo(member.id)
      },
    })
    if (done === undefined) return false
    supervisor.rest(done.left)
    group.members.splice(group.members.indexOf(done.left), 1)
    return true
  }

  private attempt(kind: FaultKind, act: (member: AnyMember) => Promise<void> | undefined): () => Promise<boolean> {
    return async () => {
      const member = this.victim()
      const done = member && act(member)
      if (member === undefined || done === undefined) return false
      this.tell(`${kind} ${member.id}`)
      try {
        await member.node.whileUp(done)
      } catch (error) {
        if (!isStoreError(error)) throw error
      }
      return true
    }
  }

  private pair(): readonly [string, string] {
    const { machines, members } = this.world
    const a = this.any(members.map(({ id }) => id)) ?? ''
    const b = this.any(machines.filter((id) => id !== a)) ?? ''
    return this.random.chance(0.5) ? [a, b] : [b, a]
  }

  private cut(a: string, b: string, durationMs: number): void {
    this.for(durationMs, this.world.simulation.network.partition(a, b))
  }
}

/** More than any member has. */
const fullBytes = 4 * 1024 * 1024
