import { isVoter, membersOf, type Configuration } from '../../core/configuration.ts'
import type { NodeId } from '../../core/entry.ts'
import type { Term } from '../../api/api.ts'
import { Checkers } from './checkers/checkers.ts'
import type { MemberView } from './checkers/checker.ts'
import type { MachineState } from './kv-machine.ts'
import { MemberClock } from './member-clock.ts'
import { MemberDisk, unborn } from './member-disk.ts'
import { MessageNetwork } from './message-network.ts'
import type { Bugs } from './planted-bug.ts'
import type { SimPlan } from './plan.ts'
import { SimMember, type CoreFactory } from './sim-member.ts'
import type { SimWorld } from './sim-world.ts'

export interface SimClusterParts {
  readonly plan: SimPlan
  readonly world: SimWorld
  readonly coreFactory: CoreFactory
  readonly bugs: Bugs
}

/** Where a group that is born behind a snapshot begins. */
const birthPlace = { index: 7, term: 3 }

export const addressOf = (id: NodeId): string => `${id}.sim`

/** All machines that are or may become members, on one network, with the checkers. */
export class SimCluster {
  readonly plan: SimPlan
  readonly world: SimWorld
  readonly network: MessageNetwork
  readonly checkers: Checkers
  readonly members: ReadonlyMap<NodeId, SimMember>

  constructor({ plan, world, coreFactory, bugs }: SimClusterParts) {
    this.plan = plan
    this.world = world
    const names = Array.from({ length: plan.members + plan.spares }, (_, index) => String.fromCharCode(97 + index))
    const first = names.slice(0, plan.members)
    const birth = birthOf(plan, first)
    this.network = new MessageNetwork({
      world,
      random: world.random.fork('network'),
      plan: plan.network,
      deliver: (message) => this.members.get(message.to)?.deliver(message),
    })
    const disks = new Map<NodeId, MemberDisk>()
    this.checkers = new Checkers({ plan, birthIndex: birth.index, disks, leaderOf: (term) => this.leaderOf(term) })
    const members = new Map<NodeId, SimMember>()
    for (const [index, id] of names.entries()) {
      const random = world.random.fork(`member/${id}`)
      const isFirst = first.includes(id)
      const disk = new MemberDisk({
        id,
        world,
        random: random.fork('disk'),
        pace: { syncMs: plan.disk.syncMs, tail: plan.disk.tail },
        birth: isFirst ? birth : unborn,
        hardState: { term: isFirst ? birth.term : 0, vote: '', mayVote: true },
        bugs,
      })
      disks.set(id, disk)
      const rate = 1 + plan.drift * (2 * random.fraction() - 1)
      const clock = new MemberClock(() => world.nowMs, random.below(1_000_000), rate)
      const priority = plan.priorities[index] ?? 1
      members.set(
        id,
        new SimMember({
          id,
          plan,
          priority,
          world,
          random,
          network: this.network,
          disk,
          clock,
          checkers: this.checkers,
          coreFactory,
          bugs,
        }),
      )
    }
    this.members = members
  }

  get all(): readonly SimMember[] {
    return [...this.members.values()]
  }

  leaderOf(term: Term): MemberView | undefined {
    return this.all.find(({ view }) => view?.core.role === 'leader' && view.core.term === term)?.view
  }

  /** The member that leads in the highest term. */
  get leader(): SimMember | undefined {
    let leader: SimMember | undefined
    for (const member of this.all) {
      if (member.leads && (member.view?.core.term ?? 0) > (leader?.view?.core.term ?? -1)) leader = member
    }
    return leader
  }

  /** What a member holds to be the configuration, up or down. */
  configurationOf(member: SimMember): Configuration {
    const { disk, view } = member
    if (view !== undefined) return view.core.configuration
    const later = disk.durableLog.configurationsAfter(disk.checkpoint.index)
    return later.at(-1)?.configuration ?? disk.checkpoint.configuration
  }

  /** Every configuration that somebody may decide by. */
  configurations(): readonly Configuration[] {
    const known = new Map<string, Configuration>()
    for (const member of this.all) {
      const { disk } = member
      const each = [
        this.configurationOf(member),
        disk.checkpoint.configuration,
        ...disk.durableLog.configurationsAfter(disk.checkpoint.index).map(({ configuration }) => configuration),
      ]
      for (const configuration of each) {
        if (configuration.voters.length > 0) known.set(JSON.stringify(configuration), configuration)
      }
    }
    return [...known.values()]
  }

  /** Members of some configuration that is in use. */
  isWanted(id: NodeId): boolean {
    return this.configurations().some((configuration) => membersOf(configuration).includes(id))
  }

  isVoter(id: NodeId): boolean {
    return this.configurations().some((configuration) => isVoter(configuration, id))
  }
}

function birthOf(plan: SimPlan, voters: readonly NodeId[]): MachineState {
  const addresses = Object.fromEntries(voters.map((id) => [id, addressOf(id)]))
  const configuration: Configuration = { voters, outgoing: [], learners: [], learnersNext: [], addresses }
  const place = plan.birth === 'snapshot' ? birthPlace : { index: 0, term: 0 }
  return { ...unborn, ...place, configurationIndex: place.index, configuration }
}
