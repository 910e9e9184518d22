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
import type { ReplicatedStore, StoreRules } from '@o3/ratis/api'
import { noConfiguration, type Configuration } from '@o3/ratis/node'
import { defaultScmConfig, scmRules, type ScmCommand, type ScmReply } from '@o3/scm/module'
import { BlockBook } from './block-book.ts'
import { DatanodeStub } from './datanode-stub.ts'
import { addressOf, GroupMember, type MemberPlants, type RunningService } from './group-member.ts'
import { GroupWatch } from './group-watch.ts'
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
  readonly omIds: readonly string[]
  readonly scmIds: readonly string[]
  readonly oms: readonly OmMember[]
  readonly scms: readonly ScmMember[]
  readonly omWatch: GroupWatch
  readonly scmWatch: GroupWatch
  readonly book: BlockBook
  readonly datanode: DatanodeStub
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
    this.datanode = new DatanodeStub('dn1', () => this.simulation.nowMs)
    const numbers = Array.from({ length: plan.members }, (_, n) => n + 1)
    this.omIds = numbers.map((n) => `om${n}`)
    this.scmIds = numbers.map((n) => `scm${n}`)
    const { accuse } = this
    const tell = (what: string): void => this.tell(what)
    this.omWatch = new GroupWatch({ group: 'om', voters: () => this.oms, accuse, tell })
    this.scmWatch = new GroupWatch({ group: 'scm', voters: () => this.scms, accuse, tell })
    this.oms = this.omIds.map((id) => this.om(id))
    this.scms = this.scmIds.map((id) => this.scm(id))
  }

  get members(): readonly AnyMember[] {
    return [...this.oms, ...this.scms]
  }

  groupOf(member: AnyMember): readonly AnyMember[] {
    return this.oms.some((om) => om === member) ? this.oms : this.scms
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

  private om(id: string): OmMember {
    const { plan, scmIds, book } = this
    const config = { ...defaultOmConfig, ...plan.om, blockDeletionBatch: 16 }
    const watched = {
      config,
      scmMembers: scmIds,
      scm: (scm: Parameters<BlockBook['watched']>[0]) => book.watched(scm, id),
    }
    return this.member(id, {
      ids: this.omIds,
      rules: omRules,
      watch: this.omWatch,
      serve: (env, store) => omService(env, store, watched),
      ...(this.plants.om && { plants: this.plants.om }),
    })
  }

  private scm(id: string): ScmMember {
    const config = { ...defaultScmConfig, containerBytes: 64 * 1024, garbageFloorBytes: 16 * 1024 }
    return this.member(id, {
      ids: this.scmIds,
      rules: scmRules,
      watch: this.scmWatch,
      serve: (env, store) => scmService(env, store, config),
      ...(this.plants.scm && { plants: this.plants.scm }),
    })
  }

  private member<Command, Reply>(id: string, kind: MemberKind<Command, Reply>): GroupMember<Command, Reply> {
    const { raft, log, checkpoint, cacheBytes } = this.plan
    const dice = this.random.fork(`mischief/${id}`)
    return new GroupMember({
      ...kind,
      node: this.memberNode(id),
      bootstrap: bootstrapOf(kind.ids),
      raft,
      log,
      store: { checkpoint: { ...checkpoint, everyMs: 10_000 }, cacheBytes, minFreeBytes: 1024 * 1024 },
      clockRate: 1 + (2 * this.random.fraction() - 1) * this.plan.drift,
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

interface MemberKind<Command, Reply> {
  readonly plants?: MemberPlants<Command, Reply>
  readonly ids: readonly string[]
  readonly rules: StoreRules<Command, Reply>
  readonly watch: GroupWatch
  readonly serve: (env: Env, store: ReplicatedStore<Command, Reply>) => RunningService
}

function bootstrapOf(ids: readonly string[]): Configuration {
  return { ...noConfiguration, voters: ids, addresses: Object.fromEntries(ids.map((id) => [id, addressOf(id)])) }
}
