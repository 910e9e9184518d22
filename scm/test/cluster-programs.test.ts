/**
 * Random programs over five model datanodes and three members of SCM, of which a script says who leads: datanodes that go and
 * come back, one that loses its disk, leaders that change in the middle, copies that are made while blocks are deleted.
 */

import { StoreError } from '@o3/common/errors'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BlockRange, ContainerId, ContainerState, DatanodeId, OperationalRequest } from '../src/api/api.ts'
import { ModelDatanodes } from './fixtures/model-datanodes.ts'
import { PlainRepairs } from './fixtures/plain-repairs.ts'
import { ids, withMembers } from './fixtures/three-members.ts'
import type { MemberId, ThreeMembers } from './fixtures/three-members.ts'

const datanodes = ['dn1', 'dn2', 'dn3', 'dn4', 'dn5'] as const
const config = {
  containerBytes: 12,
  staleAfterMs: 3_000,
  deadAfterMs: 8_000,
  aloneAfterMs: 3_000,
  closeAfterDeletionMs: 10_000,
  closeAfterDeletions: 4,
  pipelineTimeoutMs: 15_000,
  safemodeGraceMs: 2_000,
  safemodeLimitMs: 8_000,
  repairAfterMs: 8_000,
  retryTaskMs: 3_000,
}

type Step =
  | { readonly kind: 'write'; readonly replication: 'RATIS/ONE' | 'RATIS/THREE' }
  | { readonly kind: 'delete'; readonly nth: number }
  | { readonly kind: 'stop'; readonly some: readonly DatanodeId[] }
  | { readonly kind: 'start'; readonly datanode: DatanodeId }
  | { readonly kind: 'lose-disk'; readonly datanode: DatanodeId }
  | { readonly kind: 'elect'; readonly member: MemberId; readonly before: 'aware' | 'unaware' }
  | { readonly kind: 'restart'; readonly member: MemberId }
  | { readonly kind: 'close-container' | 'close-pipeline'; readonly nth: number }
  | { readonly kind: 'retire'; readonly datanode: DatanodeId; readonly wanted: OperationalRequest['wanted'] }
  | { readonly kind: 'wait'; readonly seconds: number }

const member = fc.constantFrom(...ids)
const datanode = fc.constantFrom(...datanodes)
const of = <Kind extends Step['kind']>(kind: Kind) => fc.constant(kind)
const nth = fc.nat({ max: 40 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: of('write'), replication: fc.constant('RATIS/THREE' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: of('write'), replication: fc.constant('RATIS/ONE' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: of('delete'), nth }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: of('stop'), some: fc.subarray([...datanodes], { minLength: 1, maxLength: 3 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: of('start'), datanode }) },
  { weight: 1, arbitrary: fc.record({ kind: of('lose-disk'), datanode }) },
  { weight: 2, arbitrary: fc.record({ kind: of('elect'), member, before: fc.constantFrom('aware', 'unaware') }) },
  { weight: 1, arbitrary: fc.record({ kind: of('restart'), member }) },
  { weight: 2, arbitrary: fc.record({ kind: of('close-container'), nth }) },
  { weight: 1, arbitrary: fc.record({ kind: of('close-pipeline'), nth }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: of('retire'),
      datanode,
      wanted: fc.constantFrom('IN_SERVICE', 'DECOMMISSIONED', 'IN_MAINTENANCE'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: of('wait'), seconds: fc.integer({ min: 1, max: 20 }) }) },
)

const mayFail = /^(NotLeader|OutcomeUnknown|Unavailable|OutOfSpace|ContainerNotFound|ConcurrentChange|InvalidArgument)$/
const ranks: Readonly<Record<ContainerState, number>> = {
  OPEN: 0,
  CLOSING: 1,
  QUASI_CLOSED: 2,
  CLOSED: 3,
  DELETING: 4,
  DELETED: 5,
}

interface Block {
  readonly container: ContainerId
  readonly local: number
  /** Who holds the only replica. */
  readonly only: DatanodeId | undefined
}

class Program {
  private readonly members: ThreeMembers
  private readonly nodes = new ModelDatanodes(datanodes)
  private readonly handedOut = new Set<string>()
  private readonly seen = new Map<ContainerId, number>()
  private acknowledged: Block[] = []
  private readonly deleted: Block[] = []
  private lost: DatanodeId | undefined

  constructor(members: ThreeMembers) {
    this.members = members
  }

  async run(steps: readonly Step[]): Promise<void> {
    this.members.group.elect('a')
    await this.pass(8)
    for (const each of steps) {
      await this.take(each)
      await this.pass(1)
    }
    for (const id of ids) this.members.group.enlighten(id)
    this.members.group.elect('b')
    for (const { id } of this.nodes.all.values()) {
      this.start(id)
      await this.members.at('b').setOperational({ datanode: id, wanted: 'IN_SERVICE' })
    }
    await this.pass(60)
    await this.closeAll()
    await this.pass(90)
    await this.check()
  }

  private get leader(): MemberId | undefined {
    return ids.find((id) => this.members.group.isLeading(id))
  }

  private async take(each: Step): Promise<void> {
    switch (each.kind) {
      case 'write':
        return this.write(each.replication)
      case 'delete':
        return this.delete(each.nth)
      case 'stop':
        return each.some.forEach((id) => this.stop(id))
      case 'start':
        return this.start(each.datanode)
      case 'lose-disk':
        return this.loseDisk(each.datanode)
      case 'elect':
        return this.members.group.elect(each.member, each.before)
      case 'restart':
        return void this.members.restart(each.member)
      case 'close-container':
        return this.atLeader((scm) => scm.closeContainer(each.nth + 1))
      case 'close-pipeline':
        return this.atLeader((scm) => scm.closePipeline(`pipeline-${each.nth + 1}`))
      case 'retire':
        return this.atLeader((scm) => scm.setOperational({ ...each, force: true }))
      case 'wait':
        return this.pass(each.seconds)
    }
  }

  /** Whatever leads; what may fail while leaders and datanodes come and go is not counted. */
  private async atLeader(ask: (scm: ReturnType<ThreeMembers['at']>) => Promise<unknown>): Promise<void> {
    const { leader } = this
    if (leader === undefined) return
    await tolerating(() => ask(this.members.at(leader)))
  }

  private async write(replication: 'RATIS/ONE' | 'RATIS/THREE'): Promise<void> {
    await this.atLeader(async (scm) => {
      const [range] = await scm.allocateBlocks({ count: 2, replication })
      const place = await scm.locate(range!.container)
      this.noteAllocation(
        range!,
        place.replicas.map((each) => each.datanode),
      )
      for (let local = range!.firstLocal; local < range!.firstLocal + range!.count; local++) {
        const { container } = range!
        const only = place.pipeline === undefined ? place.replicas[0]?.datanode : undefined
        const isAcknowledged =
          place.pipeline === undefined
            ? this.nodes.writeDirectly(only!, container, local)
            : this.nodes.write(place.pipeline, container, local)
        if (isAcknowledged) this.acknowledged.push({ container, local, only })
      }
    })
  }

  private noteAllocation({ container, firstLocal, count }: BlockRange, replicas: readonly DatanodeId[]): void {
    for (let local = firstLocal; local < firstLocal + count; local++) {
      expect(this.handedOut.has(`${container}/${local}`)).toBe(false)
      this.handedOut.add(`${container}/${local}`)
    }
    // Nothing is handed out where most are dead, as everybody who listens must know by now.
    const nowMs = this.members.env.clock.monotonicMs()
    const dead = replicas.filter((id) => {
      const node = this.nodes.at(id)
      return !node.isUp && nowMs - node.downSinceMs > config.deadAfterMs + 2_000
    })
    expect(dead.length).toBeLessThan(replicas.length / 2)
    expect(this.seen.get(container) ?? 0).toBe(0)
  }

  private async delete(nth: number): Promise<void> {
    const block = this.acknowledged[nth % Math.max(1, this.acknowledged.length)]
    if (block === undefined) return
    const { container, local } = block
    await this.atLeader(async (scm) => {
      // Whether or not the answer comes, nobody reads it any more.
      this.acknowledged = this.acknowledged.filter((each) => each !== block)
      await scm.deleteBlocks([{ container, firstLocal: local, count: 1 }])
      this.deleted.push(block)
    })
  }

  private stop(id: DatanodeId): void {
    const node = this.nodes.at(id)
    if (!node.isUp) return
    node.isUp = false
    node.downSinceMs = this.members.env.clock.monotonicMs()
  }

  private start(id: DatanodeId): void {
    this.nodes.at(id).isUp = true
  }

  /** One in a life: two lost disks may take with them what two of three had. */
  private loseDisk(id: DatanodeId): void {
    if (this.lost !== undefined) return
    this.lost = id
    this.nodes.at(id).loseDisk()
    this.acknowledged = this.acknowledged.filter(({ only }) => only !== id)
  }

  /** Heartbeats, every second. */
  private async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      this.nodes.tick()
      for (const node of this.nodes.all.values()) if (node.isUp) await this.beat(node.id)
      await this.members.env.clock.sleep(1_000)
      await this.watch()
    }
  }

  private async beat(id: DatanodeId): Promise<void> {
    const { env, group } = this.members
    const done = [...this.nodes.at(id).doneDeletions]
    for (const at of ids) {
      const scm = this.members.at(at)
      const heard = async () => {
        const answer = await scm.heartbeat(this.nodes.heartbeat(id))
        return answer.commands[0]?.kind === 'register' ? scm.register(this.nodes.registration(id)) : answer
      }
      // One that was deposed and does not know it answers when it does.
      const answer = await Promise.race([heard(), env.clock.sleep(200)])
      if (answer === undefined) continue
      if (answer.term !== undefined) for (const each of done) this.nodes.at(id).doneDeletions.delete(each)
      if (answer.term === group.term) for (const command of answer.commands) this.nodes.carryOut(id, command)
    }
  }

  /** No container ever goes back. */
  private async watch(): Promise<void> {
    await this.atLeader(async (scm) => {
      for (const { id, state } of await scm.listContainers({ limit: 10_000 })) {
        expect(ranks[state]).toBeGreaterThanOrEqual(this.seen.get(id) ?? 0)
        this.seen.set(id, ranks[state])
      }
    })
  }

  private async closeAll(): Promise<void> {
    const scm = this.members.at('b')
    for (const { id, state } of await scm.listContainers({ limit: 10_000 }))
      if (state === 'OPEN') await scm.closeContainer(id)
  }

  private async check(): Promise<void> {
    const scm = this.members.at('b')
    const rows = await scm.listContainers({ limit: 10_000 })
    const places = new Map(rows.map((row) => [row.id, row]))
    for (const { id, state, datanodes: held, replication } of rows) {
      if (state === 'OPEN') continue
      const details = await scm.containerInfo(id)
      // Its only replica went with a disk; what was acknowledged in it is looked for below.
      const isMissing = this.lost !== undefined && details.replicas.every(({ report }) => report === undefined)
      if (isMissing) continue
      expect({ id, state: details.info.state }).toEqual({ id, state: 'CLOSED' })
      if (replication === 'RATIS/THREE') expect(held).toHaveLength(3)
      expect(details.replicas.filter(({ standing }) => standing !== 'held')).toEqual([])
      expect(new Set(details.replicas.map(({ report }) => report?.contentHash)).size).toBe(1)
    }
    for (const { container, local, only } of this.acknowledged) {
      const held = places.get(container)?.datanodes ?? []
      const holders = held.filter((id) => this.nodes.at(id).replicas.get(container)?.blocks.has(local) === true)
      expect({ container, local, only, holders: holders.length }).toEqual({
        container,
        local,
        only,
        holders: held.length,
      })
      expect(held.length).toBeGreaterThan(0)
    }
    for (const { container, local } of this.deleted) {
      for (const node of this.nodes.all.values()) {
        expect({
          at: node.id,
          container,
          local,
          has: node.replicas.get(container)?.blocks.has(local) ?? false,
        }).toMatchObject({
          has: false,
        })
      }
    }
    const reports = [...this.nodes.all.values()].flatMap((node) =>
      [...node.applied.keys()].map((id) => `${id} ${node.id}`),
    )
    const listed = (await scm.listPipelines()).filter(({ state }) => state === 'OPEN')
    expect(reports.toSorted()).toEqual(
      listed.flatMap(({ id, members }) => members.map((each) => `${id} ${each}`)).toSorted(),
    )
    expect(listed.length).toBeGreaterThan(0)
    expect(this.members.alarms).toEqual([])
  }
}

async function tolerating(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof StoreError && mayFail.test(error.code))) throw error
  }
}

/** `SCM_PROGRAMS=500` for more. */
const runs = Number(process.env['SCM_PROGRAMS'] ?? '20')
test(
  'whatever happens, no acknowledged block is lost, none that was deleted is left, and all comes to rest',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 60, size: 'max' }), (steps) =>
        withMembers((members) => new Program(members).run(steps), config, [(parts) => new PlainRepairs(parts)]),
      ),
      { numRuns: runs, endOnFailure: true },
    )
  },
  60_000 + runs * 10_000,
)
