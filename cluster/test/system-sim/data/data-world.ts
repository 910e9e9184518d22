import {
  diskLatency,
  Simulation,
  type DiskLatency,
  type SimNode,
  type SimProcess,
  type SimRandom,
} from '@o3/common/env/sim'
import { nullLogger } from '@o3/common/logger'
import type { OmCommand, OmReply } from '@o3/om/api'
import { omRules } from '@o3/om/module'
import type { Configuration } from '@o3/ratis/node'
import { scmRules, type ScmCommand, type ScmReply } from '@o3/scm/module'
import { BlockBook } from '../block-book.ts'
import { GroupMember, type MemberPlants } from '../group-member.ts'
import type { GroupWatch } from '../group-watch.ts'
import { MemberGroup } from '../member-group.ts'
import { omService, scmService } from '../services.ts'
import { SystemViolation, type Accuse } from '../violation.ts'
import type { DataPlan } from './data-plan.ts'
import { DatanodeMachine, type DatanodePlants } from './datanode-machine.ts'
import { hddsBounds, omBounds, repairBounds, scmBounds } from './small-bounds.ts'
import { tellingLogger } from './telling-logger.ts'

/** Bugs, for the tests of the simulation. */
export interface DataPlants {
  readonly datanode?: DatanodePlants
  readonly scm?: MemberPlants<ScmCommand, ScmReply>
}

type Who = [id: string, watch: GroupWatch, bootstrap: Configuration | undefined]

const raft = { electionTimeoutMs: 800, heartbeatMs: 200 }
const log = { segmentBytes: 64 * 1024, maxBatchBytes: 32 * 1024 }
const store = {
  checkpoint: { everyLogBytes: 64 * 1024, keepLogBytes: 32 * 1024, everyMs: 10_000 },
  cacheBytes: 1_000_000,
  minFreeBytes: 1024 * 1024,
}

/** A cluster with real datanodes, in one process on virtual time. */
export class DataWorld {
  readonly plan: DataPlan
  readonly simulation: Simulation
  readonly random: SimRandom
  readonly om: MemberGroup<OmCommand, OmReply>
  readonly scm: MemberGroup<ScmCommand, ScmReply>
  readonly datanodes: readonly DatanodeMachine[]
  readonly book: BlockBook
  readonly accuse: Accuse
  /** How many times longer the disk of a machine takes, now. */
  readonly diskSlowness = new Map<string, number>()
  /** Faults are over: what is down comes back soon. */
  isCalm = false
  /** What happened, in words. */
  readonly story: string[] = []
  private readonly others: string[] = []
  private readonly plants: DataPlants

  constructor(plan: DataPlan, plants: DataPlants = {}) {
    this.plan = plan
    this.plants = plants
    this.simulation = new Simulation({ seed: `data/${plan.seed}`, network: plan.network })
    this.random = this.simulation.random.fork('data')
    this.accuse = (checker, message) => {
      this.simulation.fail(`${checker}: ${message}`, new SystemViolation(checker, message))
    }
    this.book = new BlockBook(this.accuse)
    const shared = { accuse: this.accuse, tell: (what: string): void => this.tell(what) }
    this.om = new MemberGroup({ ...shared, size: plan.omMembers, name: 'om', make: (...who) => this.omMember(...who) })
    this.scm = new MemberGroup({
      ...shared,
      size: plan.scmMembers,
      name: 'scm',
      make: (...who) => this.scmMember(...who),
    })
    this.datanodes = Array.from({ length: plan.datanodes }, (_, n) => this.datanodeMachine(n))
  }

  /** Names of all machines. */
  get machines(): readonly string[] {
    return [...this.om.firstIds, ...this.scm.firstIds, ...this.datanodes.map(({ id }) => id), ...this.others]
  }

  /** A process on a machine of its own that nothing happens to, but what happens to its ways. */
  machine(name: string): SimProcess {
    this.others.push(name)
    return this.simulation.node(name).boot()
  }

  tell(what: string): void {
    this.story.push(`${this.simulation.nowMs.toFixed(1)} ${what}`)
  }

  /** What goes on by itself: when it throws, the run fails. */
  async guarded(work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (error) {
      this.simulation.fail('something that goes on by itself has thrown', error)
    }
  }

  /** Polls in virtual time. `detail` says how far it is, where it never comes true. */
  async until(
    what: string,
    withinMs: number,
    condition: () => boolean | Promise<boolean>,
    detail = () => '',
  ): Promise<void> {
    const endMs = this.simulation.nowMs + withinMs
    while (!(await condition())) {
      if (this.simulation.nowMs > endMs) {
        throw new SystemViolation('progress', `after ${withinMs} ms still not: ${what} ${detail()}`)
      }
      await this.simulation.clock.sleep(200)
    }
  }

  private omMember(...[id, watch, bootstrap]: Who): GroupMember<OmCommand, OmReply> {
    const scmMembers = Array.from({ length: this.plan.scmMembers }, (_, n) => `scm${n + 1}`)
    return new GroupMember({
      rules: omRules,
      watch,
      bootstrap,
      serve: (env, opened) => {
        return omService(env, opened, { config: omBounds, scmMembers, scm: (scm) => this.book.watched(scm, id) })
      },
      node: this.node(id),
      raft,
      log,
      store,
      clockRate: 1,
    })
  }

  private scmMember(...[id, watch, bootstrap]: Who): GroupMember<ScmCommand, ScmReply> {
    return new GroupMember({
      rules: scmRules,
      watch,
      bootstrap,
      serve: (env, opened) => {
        return scmService(env, opened, { config: scmBounds(this.plan), repair: repairBounds, log: this.logOf(id) })
      },
      node: this.node(id),
      raft,
      log,
      store,
      clockRate: 1,
      ...(this.plants.scm && { plants: this.plants.scm }),
    })
  }

  private datanodeMachine(n: number): DatanodeMachine {
    const { plan, plants } = this
    const id = `dn${n + 1}`
    return new DatanodeMachine({
      node: this.node(id),
      rack: `/r${(n % plan.racks) + 1}`,
      disks: Array.from({ length: plan.disksEach }, (_, disk) => `/disk${disk + 1}`),
      config: hddsBounds,
      scmIds: this.scm.firstIds,
      log: this.logOf(id),
      ...(plants.datanode && { plants: plants.datanode }),
    })
  }

  /** `O3_SYSTEM_LOG=1`: the story tells what processes log. */
  private logOf(id: string) {
    return process.env['O3_SYSTEM_LOG'] === undefined
      ? nullLogger
      : tellingLogger((line) => this.tell(`    ${id} ${line}`))
  }

  private node(id: string): SimNode {
    const usual = diskLatency()
    const latency: DiskLatency = (operation) => usual(operation) * (this.diskSlowness.get(id) ?? 1)
    return this.simulation.node(id, { disk: { wholeSectorGarbage: true, capacityBytes: 1024 ** 3 }, latency })
  }
}
