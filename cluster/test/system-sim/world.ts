import type { Env } from '@o3/common/env'
import {
  diskLatency,
  Simulation,
  type DiskLatency,
  type SimNode,
  type SimProcess,
  type SimRandom,
} from '@o3/common/env/sim'
import type { OmCommand, OmReply } from '@o3/om/api'
import { defaultOmConfig, omRules } from '@o3/om/module'
import type { Configuration } from '@o3/ratis/node'
import type { ScmBlockProtocol } from '@o3/scm/api'
import { defaultScmConfig, scmRules, type ScmCommand, type ScmReply } from '@o3/scm/module'
import { BlockBook } from './block-book.ts'
import { ModelDatanode } from './model-datanode.ts'
import { GroupMember, type GroupMemberOptions, type MemberPlants } from './group-member.ts'
import type { GroupWatch } from './group-watch.ts'
import { MemberGroup } from './member-group.ts'
import { mischievous, type MischiefRates } from './message-mischief.ts'
import type { SystemPlan } from './plan.ts'
import { omService, scmService } from './services.ts'
import { SystemViolation, type Accuse } from './violation.ts'

export type OmMember = GroupMember<OmCommand, OmReply>
export type ScmMember = GroupMember<ScmCommand, ScmReply>
/** Where it makes no difference of which service. */
export type AnyMember = OmMember | ScmMember

/** A cluster in one process on virtual time: machines with members of OM and of SCM, a datanode, and machines of clients. */
export class SystemWorld {
  readonly plan: SystemPlan
  private readonly plants: SystemPlants
  readonly simulation: Simulation
  readonly random: SimRandom
  readonly om: MemberGroup<OmCommand, OmReply>
  readonly scm: MemberGroup<ScmCommand, ScmReply>
  readonly book: BlockBook
  readonly datanode: ModelDatanode
  readonly accuse: Accuse
  /** Of Raft's messages, now. */
  mischief: MischiefRates
  /** How many times longer the disk of a machine takes, now. */
  readonly diskSlowness = new Map<string, number>()
  /** Faults are over: what is down comes back soon. */
  isCalm = false
  /** What happened, in words: faults, restarts, leaders. */
  readonly story: string[] = []
  private readonly others: string[] = []
  private datanodeEnv: Env | undefined
  private readonly talks: { stop(): Promise<void> }[] = []

  constructor(plan: SystemPlan, plants: SystemPlants = {}) {
    this.plan = plan
    this.plants = plants
    this.mischief = plan.messages
    const { network } = plan
    this.simulation = new Simulation({ seed: plan.seed, network })
    this.random = this.simulation.random.fork('system')
    this.accuse = (checker, message) => {
      this.simulation.fail(`${checker}: ${message}`, new SystemViolation(checker, message))
    }
    this.book = new BlockBook(this.accuse)
    this.datanode = new ModelDatanode('dn1', () => this.simulation.nowMs)
    const { accuse } = this
    const shared = { size: plan.members, accuse, tell: (what: string): void => this.tell(what) }
    this.om = new MemberGroup({ ...shared, name: 'om', make: (...who) => this.omMember(...who) })
    this.scm = new MemberGroup({ ...shared, name: 'scm', make: (...who) => this.scmMember(...who) })
  }

  get groups(): readonly [MemberGroup<OmCommand, OmReply>, MemberGroup<ScmCommand, ScmReply>] {
    return [this.om, this.scm]
  }

  get members(): readonly AnyMember[] {
    return [...this.om.members, ...this.scm.members]
  }

  mayLose(member: AnyMember): boolean {
    return this.groups.some((group) => group.members.some(({ id }) => id === member.id) && group.mayLose(member))
  }

  /** Names of all machines. */
  get machines(): readonly string[] {
    return [...this.members.map(({ id }) => id), ...this.others]
  }

  /** A process on a machine of its own that nothing happens to, but what happens to its ways. */
  machine(name: string): SimProcess {
    this.others.push(name)
    return this.simulation.node(name).boot()
  }

  startDatanode(): void {
    this.datanodeEnv = this.machine('dn1')
    for (const id of this.scm.firstIds) this.talkTo(id)
    this.talks.push(this.datanode.keepKeys(this.datanodeEnv, this.scm.firstIds))
  }

  /** The datanode is told of a member of SCM. */
  talkTo(scmMember: string): void {
    if (this.datanodeEnv !== undefined) this.talks.push(this.datanode.talkTo(this.datanodeEnv, scmMember))
  }

  async stopDatanode(): Promise<void> {
    await Promise.all(this.talks.map((talk) => talk.stop()))
  }

  tell(what: string): void {
    this.story.push(`${this.simulation.nowMs.toFixed(1)} ${what}`)
  }

  /** Polls in virtual time. */
  async until(what: string, withinMs: number, condition: () => boolean): Promise<void> {
    const endMs = this.simulation.nowMs + withinMs
    while (!condition()) {
      if (this.simulation.nowMs > endMs)
        throw new SystemViolation('progress', `after ${withinMs} ms still not: ${what}`)
      await this.simulation.clock.sleep(20)
    }
  }

  private omMember(...[id, watch, bootstrap]: Who): OmMember {
    const { plan, book } = this
    const config = { ...defaultOmConfig, ...plan.om, blockDeletionBatch: 16 }
    const scmMembers = Array.from({ length: plan.members }, (_, n) => `scm${n + 1}`)
    const scm = (each: ScmBlockProtocol): ScmBlockProtocol => book.watched(each, id)
    return this.member(id, {
      watch,
      bootstrap,
      rules: omRules,
      serve: (env, store) => omService(env, store, { config, scmMembers, scm }),
      ...(this.plants.om && { plants: this.plants.om }),
    })
  }

  private scmMember(...[id, watch, bootstrap]: Who): ScmMember {
    const config = { ...defaultScmConfig, containerBytes: 64 * 1024, garbageFloorBytes: 16 * 1024 }
    return this.member(id, {
      watch,
      bootstrap,
      rules: scmRules,
      serve: (env, store) => scmService(env, store, { config }),
      ...(this.plants.scm && { plants: this.plants.scm }),
    })
  }

  private member<Command, Reply>(id: string, kind: MemberKind<Command, Reply>): GroupMember<Command, Reply> {
    const { raft, log, checkpoint, cacheBytes, drift } = this.plan
    const dice = this.random.fork(`member/${id}`)
    return new GroupMember({
      ...kind,
      node: this.memberNode(id),
      raft,
      log,
      store: { checkpoint: { ...checkpoint, everyMs: 10_000 }, cacheBytes, minFreeBytes: 1024 * 1024 },
      clockRate: 1 + (2 * dice.fraction() - 1) * drift,
      transport: (transport, { clock }) => mischievous(transport, { clock, random: dice, rates: () => this.mischief }),
    })
  }

  private memberNode(id: string): SimNode {
    const usual = diskLatency()
    const latency: DiskLatency = (operation) => usual(operation) * (this.diskSlowness.get(id) ?? 1)
    return this.simulation.node(id, { disk: { wholeSectorGarbage: true }, latency })
  }
}

/** Bugs, for the tests of the simulation. */
export interface SystemPlants {
  readonly om?: MemberPlants<OmCommand, OmReply>
  readonly scm?: MemberPlants<ScmCommand, ScmReply>
}

type Who = [id: string, watch: GroupWatch, bootstrap: Configuration | undefined]

type MemberKind<Command, Reply> = Pick<
  GroupMemberOptions<Command, Reply>,
  'rules' | 'watch' | 'bootstrap' | 'serve' | 'plants'
>
