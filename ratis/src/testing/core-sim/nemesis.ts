import type { SimRandom } from '@o3/common/env/sim'
import { membersOf, type Configuration } from '../../core/configuration.ts'
import type { NodeId } from '../../core/entry.ts'
import { FaultAtlas } from './fault-atlas.ts'
import type { FaultKind } from './plan.ts'
import { addressOf, type SimCluster } from './sim-cluster.ts'
import type { SimMember } from './sim-member.ts'

type Act = (nemesis: Nemesis) => void

/** Does to a cluster what its plan says, as often as it says, and takes it back after a while. */
export class Nemesis {
  readonly cluster: SimCluster
  readonly random: SimRandom
  readonly atlas: FaultAtlas
  readonly #repairs = new Set<() => void>()
  isOver = false

  constructor(cluster: SimCluster) {
    this.cluster = cluster
    this.random = cluster.world.random.fork('nemesis')
    this.atlas = new FaultAtlas(cluster)
    for (const member of cluster.all) member.onDown = () => this.#fallen(member)
  }

  start(): void {
    const { plan } = this.cluster
    for (const [kind, perMinute] of Object.entries(plan.perMinute) as [FaultKind, number][]) {
      const act = acts[kind]
      if (act !== undefined && perMinute > 0) this.#repeat(kind, 60_000 / perMinute, act)
    }
  }

  /** No fault begins any more; what is broken stays so until it is healed. */
  stop(): void {
    this.isOver = true
  }

  /** Takes every lasting fault back. Members that are down stay so. */
  repairAll(): void {
    for (const repair of this.#repairs) repair()
    this.#repairs.clear()
  }

  fault(kind: FaultKind, who: string, text?: () => string): void {
    this.cluster.world.fault(kind, who, text)
  }

  /** Somebody who is up, and not paused. */
  victim(): SimMember | undefined {
    return this.choose(this.cluster.all.filter((member) => member.isUp && !member.isPaused))
  }

  choose<T>(from: readonly T[]): T | undefined {
    return from[this.random.below(from.length)]
  }

  /** Between one and ten election timeouts, mostly short. */
  span(): number {
    const { electionTimeoutMs } = this.cluster.plan.raft
    return electionTimeoutMs * (this.random.chance(0.3) ? 10 : 2) * (0.2 + this.random.fraction())
  }

  /** Does `repair` after a while, or when all is repaired. */
  lasting(repair: () => void): void {
    const once = (): void => {
      if (this.#repairs.delete(once)) repair()
    }
    this.#repairs.add(once)
    this.cluster.world.after({ kind: 'repair', who: 'nemesis', afterMs: this.span(), action: once })
  }

  /** Until all is repaired. */
  untilRepaired(repair: () => void): void {
    this.#repairs.add(repair)
  }

  /** Makes a fault worse, if the plan is in that mood: soon after it, within a few messages and syncs. */
  worsen(action: () => void): void {
    const { plan, world } = this.cluster
    if (!this.random.chance(plan.malice)) return
    const aFewMs = 4 * (plan.network.delayMs[1] + plan.disk.syncMs[1])
    world.after({
      kind: 'nemesis',
      who: 'worse',
      afterMs: aFewMs * this.random.fraction(),
      action: () => {
        if (!this.isOver) action()
      },
    })
  }

  crashLeader(): void {
    const { leader } = this.cluster
    if (leader === undefined) return
    this.fault('crash', leader.id)
    this.down(leader)
  }

  isolate(id: NodeId): void {
    this.fault('isolate', id)
    cut(this, [id], 'both')
  }

  /** A member went down: it comes back, as a rule after losing nothing. */
  down(member: SimMember): void {
    member.crash()
    this.#comeBack(member)
  }

  #fallen(member: SimMember): void {
    this.fault('sync-failure', member.id)
    this.#comeBack(member)
  }

  #comeBack(member: SimMember): void {
    this.cluster.world.after({
      kind: 'restart',
      who: member.id,
      afterMs: this.span() / 2,
      action: () => {
        if (!this.isOver) member.start()
      },
    })
  }

  #repeat(kind: FaultKind, meanMs: number, act: Act): void {
    const { world, plan } = this.cluster
    const isEarly = world.nowMs < plan.calmMs
    const afterMs = (isEarly ? plan.calmMs : 0) - meanMs * Math.log(1 - this.random.fraction())
    world.after({
      kind: 'nemesis',
      who: kind,
      afterMs,
      action: () => {
        if (this.isOver) return
        act(this)
        this.#repeat(kind, meanMs, act)
      },
    })
  }
}

const acts: Partial<Record<FaultKind, Act>> = {
  crash(nemesis) {
    const member = nemesis.victim()
    if (member === undefined) return
    nemesis.fault('crash', member.id)
    nemesis.down(member)
  },
  'power-cut'(nemesis) {
    nemesis.fault('power-cut', 'all')
    for (const member of nemesis.cluster.all) if (member.isUp) nemesis.down(member)
  },
  pause(nemesis) {
    const member = nemesis.random.chance(0.5) ? nemesis.cluster.leader : nemesis.victim()
    if (member === undefined) return
    nemesis.fault('pause', member.id)
    member.pause()
    // One that wakes up alone learns of nothing but its own clock, and not from that when it stood still.
    if (nemesis.random.chance(nemesis.cluster.plan.malice)) nemesis.isolate(member.id)
    if (nemesis.cluster.plan.leases === 'off' && nemesis.random.chance(0.5)) member.clock.stand()
    nemesis.lasting(() => {
      member.clock.go()
      member.resume()
    })
  },
  'clock-drift'(nemesis) {
    const { drift } = nemesis.cluster.plan
    const member = nemesis.victim()
    if (member === undefined || drift === 0) return
    const rate = 1 + drift * (2 * nemesis.random.fraction() - 1)
    nemesis.fault('clock-drift', member.id, () => `rate ${rate.toFixed(3)}`)
    member.clock.setRate(rate)
  },
  'clock-step'(nemesis) {
    const member = nemesis.victim()
    if (member === undefined) return
    const byMs = nemesis.span()
    nemesis.fault('clock-step', member.id, () => `by ${byMs.toFixed(0)} ms`)
    member.clock.jump(byMs)
  },
  isolate(nemesis) {
    const member = nemesis.random.chance(0.5) ? nemesis.cluster.leader : nemesis.victim()
    if (member === undefined) return
    nemesis.isolate(member.id)
  },
  /** One leader after the other is cut off, and comes back to a group that has gone on. */
  swizzle(nemesis) {
    const { world, plan } = nemesis.cluster
    for (let round = 0; round < 5; round++) {
      const action = (): void => {
        const { leader } = nemesis.cluster
        if (nemesis.isOver || leader === undefined) return
        nemesis.fault('swizzle', leader.id)
        cut(nemesis, [leader.id], 'both')
      }
      const afterMs = plan.raft.electionTimeoutMs * (1 + 2 * nemesis.random.fraction()) * round
      world.after({ kind: 'nemesis', who: 'swizzle', afterMs, action })
    }
  },
  split(nemesis) {
    const ids = [...nemesis.cluster.members.keys()].filter(() => nemesis.random.chance(0.5))
    nemesis.fault('split', ids.join(''))
    cut(nemesis, ids, 'both')
  },
  'one-way'(nemesis) {
    const member = nemesis.random.chance(0.5) ? nemesis.cluster.leader : nemesis.victim()
    if (member === undefined) return
    const way = nemesis.random.chance(0.5) ? 'in' : 'out'
    nemesis.fault('one-way', member.id, () => way)
    cut(nemesis, [member.id], way)
  },
  /** A leader that one member no longer hears, and soon nobody: that one campaigns while the others have just heard it. */
  partial(nemesis) {
    const a = nemesis.random.chance(0.5) ? nemesis.cluster.leader?.id : nemesis.victim()?.id
    const b = nemesis.victim()?.id
    if (a === undefined || b === undefined || a === b) return
    nemesis.fault('partial', `${a}${b}`)
    const opens = [nemesis.cluster.network.close(a, b), nemesis.cluster.network.close(b, a)]
    nemesis.lasting(() => opens.forEach((open) => open()))
    const { world, plan } = nemesis.cluster
    if (!nemesis.random.chance(plan.malice)) return
    world.after({
      kind: 'nemesis',
      who: 'worse',
      afterMs: plan.raft.electionTimeoutMs * 2 * nemesis.random.fraction(),
      action: () => {
        if (!nemesis.isOver) nemesis.isolate(a)
      },
    })
  },
  'slow-link'(nemesis) {
    const a = nemesis.victim()?.id
    const b = nemesis.victim()?.id
    if (a === undefined || b === undefined || a === b) return
    nemesis.fault('slow-link', `${a}${b}`)
    nemesis.lasting(nemesis.cluster.network.slowDown(a, b))
  },
  'slow-disk'(nemesis) {
    const member = nemesis.victim()
    if (member === undefined) return
    nemesis.fault('slow-disk', member.id)
    member.disk.slowness = 30
    nemesis.lasting(() => {
      member.disk.slowness = 1
    })
  },
  'sync-failure'(nemesis) {
    const member = nemesis.victim()
    if (member !== undefined) member.disk.isFailing = true
  },
  flip(nemesis) {
    const member = nemesis.victim()
    if (member === undefined) return
    nemesis.down(member)
    const { firstIndex, lastIndex } = member.disk.durableLog
    if (lastIndex < firstIndex || !nemesis.atlas.mayLose(member.id)) return
    const index = firstIndex + nemesis.random.below(lastIndex - firstIndex + 1)
    nemesis.fault('flip', member.id, () => `entry ${index}`)
    member.disk.loseFrom(index)
    member.onUp = () => nemesis.worsen(() => nemesis.crashLeader())
  },
  blank(nemesis) {
    const member = nemesis.victim()
    if (member === undefined || !nemesis.cluster.isVoter(member.id)) return
    nemesis.down(member)
    if (!nemesis.atlas.mayLose(member.id)) return
    nemesis.fault('blank', member.id)
    member.disk.replace()
    member.onUp = () => nemesis.worsen(() => nemesis.crashLeader())
  },
  'change-membership'(nemesis) {
    // A leader that nobody hears may not decide anything, whatever it is told to become.
    const alone = nemesis.random.chance(nemesis.cluster.plan.malice / 2) ? nemesis.cluster.leader : undefined
    if (alone !== undefined) nemesis.isolate(alone.id)
    const leader = changeMembership(nemesis)
    if (leader === undefined) return
    nemesis.worsen(() => changeMembership(nemesis))
    nemesis.worsen(() => {
      if (nemesis.random.chance(0.5)) nemesis.crashLeader()
      else if (leader.isUp) nemesis.isolate(leader.id)
    })
  },
  transfer(nemesis) {
    const { leader } = nemesis.cluster
    if (leader === undefined) return
    const to = nemesis.random.chance(0.3) ? undefined : nemesis.choose([...nemesis.cluster.members.keys()])
    nemesis.fault('transfer', leader.id, () => `to ${to ?? 'the furthest'}`)
    leader.command('transfer', (core) => core.transferLeadership(to))
    nemesis.worsen(() => nemesis.isolate(leader.id))
  },
  compact(nemesis) {
    const member = nemesis.victim()
    if (member === undefined) return
    nemesis.fault('compact', member.id)
    member.checkpoint()
  },
}

function cut(nemesis: Nemesis, ids: readonly NodeId[], way: 'in' | 'out' | 'both'): void {
  const { network, members } = nemesis.cluster
  const opens: (() => void)[] = []
  for (const inside of ids) {
    for (const outside of members.keys()) {
      if (ids.includes(outside)) continue
      if (way !== 'out') opens.push(network.close(outside, inside))
      if (way !== 'in') opens.push(network.close(inside, outside))
    }
  }
  nemesis.lasting(() => {
    for (const open of opens) open()
    // Those that come back take over another log just then.
    nemesis.worsen(() => {
      const member = nemesis.cluster.members.get(ids[0] ?? '')
      if (member?.isUp !== true) return
      nemesis.fault('crash', member.id)
      nemesis.down(member)
    })
  })
}

function changeMembership(nemesis: Nemesis): SimMember | undefined {
  const { leader, members } = nemesis.cluster
  const configuration = leader?.view?.core.configuration
  if (leader === undefined || configuration === undefined) return undefined
  const change = nextChange(nemesis, configuration)
  if (!nemesis.atlas.mayDecide(change.voters)) return undefined
  const ids = [...change.voters, ...change.learners]
  nemesis.fault('change-membership', leader.id, () => `to ${change.voters.join('')}, learn ${change.learners.join('')}`)
  for (const id of ids) members.get(id)?.start()
  const addresses = Object.fromEntries(ids.map((id) => [id, addressOf(id)]))
  // While a change is under way the next one is refused, or ought to be.
  leader.command('change', (core) => core.changeMembership({ ...change, addresses }))
  return leader
}

/** A new learner, a promotion, a removal, a demotion, or a replacement: several at once, which is what joint consensus is for. */
function nextChange(
  nemesis: Nemesis,
  { voters, learners, ...rest }: Configuration,
): { readonly voters: readonly NodeId[]; readonly learners: readonly NodeId[] } {
  const { random, cluster } = nemesis
  const outside = [...cluster.members.keys()].filter((id) => !membersOf({ voters, learners, ...rest }).includes(id))
  const wanted = new Set(voters)
  const learning = new Set(learners)
  const leave = (id: NodeId | undefined): void => {
    if (id === undefined || wanted.size < 2) return
    wanted.delete(id)
    if (random.chance(0.4)) learning.add(id)
  }
  const promote = (id: NodeId | undefined): void => {
    if (id === undefined) return
    learning.delete(id)
    wanted.add(id)
  }
  const mood = random.fraction()
  if (learning.size === 0 && outside.length > 0 && mood < 0.7) {
    const id = nemesis.choose(outside)
    if (id !== undefined) learning.add(id)
  } else if (mood < 0.35) {
    promote(nemesis.choose(learners))
  } else if (mood < 0.6) {
    promote(nemesis.choose(learners))
    leave(nemesis.choose(voters))
  } else if (mood < 0.85) {
    leave(nemesis.choose(voters))
  } else {
    leave(nemesis.choose(voters))
    leave(nemesis.choose(voters))
    for (const id of learners) if (random.chance(0.5)) learning.delete(id)
  }
  return { voters: [...wanted], learners: [...learning] }
}
