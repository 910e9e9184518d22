/**
 * Random programs over seven model datanodes and three members of SCM with the replication manager: erasure-coded containers whose
 * blocks are deleted before, while and after they are encoded, once and again, while leaders change and datanodes come and go.
 */

import { StoreError } from '@o3/common/errors'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ContainerDetails, ContainerId, DatanodeCommand, DatanodeId } from '../src/api/api.ts'
import { defaultReplicationConfig, replicationWorker } from '../src/module.ts'
import type { MakeWorker } from '../src/module.ts'
import { ModelDatanodes } from './fixtures/model-datanodes.ts'
import { ids, withMembers } from './fixtures/three-members.ts'
import type { MemberId, ThreeMembers } from './fixtures/three-members.ts'

const datanodes = ['dn1', 'dn2', 'dn3', 'dn4', 'dn5', 'dn6', 'dn7'] as const
const GiB = 1024 ** 3
const disk = {
  path: 'd',
  uuid: 'u',
  state: 'healthy',
  totalBytes: 100 * GiB,
  availableBytes: 90 * GiB,
  usedBytes: 10 * GiB,
} as const

const config = {
  containerBytes: 8,
  staleAfterMs: 3_000,
  deadAfterMs: 8_000,
  aloneAfterMs: 3_000,
  closeAfterDeletionMs: 10_000,
  closeAfterDeletions: 4,
  safemodeGraceMs: 2_000,
  safemodeLimitMs: 8_000,
  repairAfterMs: 4_000,
}

const repair = {
  ...defaultReplicationConfig,
  encodeAfterMs: 4_000,
  firstBackoffMs: 1_000,
  mostBackoffMs: 4_000,
  avoidMs: 3_000,
  landingMs: 5_000,
  silenceMs: 6_000,
  stallMs: 20_000,
}

/** Bugs of a datanode that carries out an encoding. */
type Plant = (command: DatanodeCommand) => DatanodeCommand

type Step =
  | { readonly kind: 'write' | 'delete'; readonly nth: number }
  | { readonly kind: 'delete-most'; readonly nth: number; readonly share: number }
  | { readonly kind: 'stop' | 'start'; readonly datanode: DatanodeId }
  | { readonly kind: 'elect'; readonly member: MemberId; readonly before: 'aware' | 'unaware' }
  | { readonly kind: 'close'; readonly nth: number }
  | { readonly kind: 'wait'; readonly seconds: number }

const of = <Kind extends Step['kind']>(kind: Kind) => fc.constant(kind)
const nth = fc.nat({ max: 40 })
const datanode = fc.constantFrom(...datanodes)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: of('write'), nth }) },
  { weight: 4, arbitrary: fc.record({ kind: of('delete'), nth }) },
  { weight: 3, arbitrary: fc.record({ kind: of('delete-most'), nth, share: fc.constantFrom(0.3, 0.6, 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: of('stop'), datanode }) },
  { weight: 3, arbitrary: fc.record({ kind: of('start'), datanode }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: of('elect'),
      member: fc.constantFrom(...ids),
      before: fc.constantFrom('aware', 'unaware'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: of('close'), nth }) },
  { weight: 8, arbitrary: fc.record({ kind: of('wait'), seconds: fc.integer({ min: 1, max: 15 }) }) },
)

const mayFail = /^(NotLeader|OutcomeUnknown|Unavailable|OutOfSpace|ContainerNotFound|ConcurrentChange)$/

interface Block {
  readonly container: ContainerId
  readonly local: number
}

class Program {
  /** Encodings out of older shards that came to an end. */
  reencoded = 0
  private readonly members: ThreeMembers
  private readonly plant: Plant
  private readonly nodes = new ModelDatanodes(datanodes, disk)
  private acknowledged: Block[] = []
  private readonly deleted: Block[] = []

  constructor(members: ThreeMembers, plant: Plant = (command) => command) {
    this.members = members
    this.plant = plant
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
    for (const { id } of this.nodes.all.values()) this.nodes.at(id).isUp = true
    await this.pass(30)
    const scm = this.members.at('b')
    for (const { id, state } of await scm.listContainers({ limit: 10_000 })) {
      if (state === 'OPEN') await tolerating(() => scm.closeContainer(id))
    }
    await this.pass(120)
    await this.check()
  }

  private async take(each: Step): Promise<void> {
    switch (each.kind) {
      case 'write':
        return this.write(2 + (each.nth % 5))
      case 'delete':
        return this.delete(this.acknowledged.slice(each.nth % Math.max(1, this.acknowledged.length)).slice(0, 1))
      case 'delete-most': {
        const chosen = this.acknowledged[each.nth % Math.max(1, this.acknowledged.length)]
        const all = this.acknowledged.filter(({ container }) => container === chosen?.container)
        return this.delete(all.slice(0, Math.ceil(all.length * each.share)))
      }
      case 'stop':
        if ([...this.nodes.all.values()].every(({ isUp }) => isUp)) this.nodes.at(each.datanode).isUp = false
        return
      case 'start':
        this.nodes.at(each.datanode).isUp = true
        return
      case 'elect':
        return this.members.group.elect(each.member, each.before)
      case 'close':
        return this.atLeader((scm) => scm.closeContainer(each.nth + 1))
      case 'wait':
        return this.pass(each.seconds)
    }
  }

  private async atLeader(ask: (scm: ReturnType<ThreeMembers['at']>) => Promise<unknown>): Promise<void> {
    const leader = ids.find((id) => this.members.group.isLeading(id))
    if (leader !== undefined) await tolerating(() => ask(this.members.at(leader)))
  }

  private async write(count: number): Promise<void> {
    await this.atLeader(async (scm) => {
      const ranges = await scm.allocateBlocks({ count, replication: 'EC/rs-3-2-1024k' })
      for (const { container, firstLocal, count: taken } of ranges) {
        const { pipeline } = await scm.locate(container)
        for (let local = firstLocal; local < firstLocal + taken; local++) {
          const isAcknowledged = pipeline !== undefined && this.nodes.write(pipeline, container, local)
          if (isAcknowledged) this.acknowledged.push({ container, local })
        }
      }
    })
  }

  /** Whether or not the answer comes, nobody reads them any more. What was asked for in vain is asked for again, as OM does. */
  private async delete(blocks: readonly Block[]): Promise<void> {
    this.acknowledged = this.acknowledged.filter((each) => !blocks.includes(each))
    for (const block of blocks) {
      const { container, local } = block
      const unasked = blocks.slice(blocks.indexOf(block))
      let isAsked = false
      await this.atLeader(async (scm) => {
        await scm.deleteBlocks([{ container, firstLocal: local, count: 1 }])
        isAsked = true
      })
      if (!isAsked) return void this.acknowledged.push(...unasked)
      this.deleted.push(block)
    }
  }

  private async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      this.nodes.tick()
      for (const node of this.nodes.all.values()) if (node.isUp) await this.beat(node.id)
      await this.members.env.clock.sleep(1_000)
    }
  }

  private async beat(id: DatanodeId): Promise<void> {
    const { env, group } = this.members
    const node = this.nodes.at(id)
    const done = [...node.doneDeletions]
    for (const at of ids) {
      const scm = this.members.at(at)
      const heard = async () => {
        const answer = await scm.heartbeat(this.nodes.heartbeat(id))
        return answer.commands[0]?.kind === 'register' ? scm.register(this.nodes.registration(id)) : answer
      }
      const answer = await Promise.race([heard(), env.clock.sleep(200)])
      if (answer === undefined) continue
      if (answer.term !== undefined) for (const each of done) node.doneDeletions.delete(each)
      if (answer.term !== group.term) continue
      for (const command of answer.commands) {
        if (command.kind === 'encode-container' && command.from !== undefined && !node.tasks.has(command.task)) {
          this.reencoded += 1
        }
        this.nodes.carryOut(id, this.plant(command))
      }
    }
  }

  private async check(): Promise<void> {
    const scm = this.members.at('b')
    const places = new Map<ContainerId, ContainerDetails>()
    for (const { id, state } of await scm.listContainers({ limit: 10_000 })) {
      if (state === 'OPEN') continue
      const details = await scm.containerInfo(id)
      if (details.shardOf !== undefined) continue
      places.set(id, details)
      expect({ id, state, isEncoded: details.ec !== undefined }).toEqual({ id, state: 'CLOSED', isEncoded: true })
    }
    for (const [id, details] of places) this.checkEncoded(id, details)
    for (const { container, local } of this.acknowledged) {
      expect({ container, local, isThere: places.has(container) }).toEqual({ container, local, isThere: true })
    }
    // Shards that were replaced, replicas of what is encoded, containers that are gone: none is left on any disk.
    const shards = new Set([...places.values()].flatMap(({ ec }) => ec?.shards ?? []))
    for (const node of this.nodes.all.values()) {
      const strays = [...node.replicas].filter(([id, { state }]) => state !== 'OPEN' && !shards.has(id))
      expect({ at: node.id, strays: strays.map(([id]) => id) }).toEqual({ at: node.id, strays: [] })
    }
    expect(this.members.alarms.filter((alarm) => !alarm.includes('a task failed'))).toEqual([])
  }

  /** Of what is in its shards, half at least is kept; and of what is deleted nothing is forgotten. */
  private checkEncoded(id: ContainerId, { ec, deletedBlocks }: ContainerDetails): void {
    const [first = new Set<number>(), ...others] = (ec?.shards ?? []).flatMap((shard) =>
      [...this.nodes.all.values()].flatMap(({ replicas }) => replicas.get(shard)?.blocks ?? []),
    )
    expect(others).toHaveLength(4)
    for (const other of others) expect(other).toEqual(first)
    const kept = this.acknowledged.filter(({ container }) => container === id).map(({ local }) => local)
    expect([...first], `blocks of container ${id}`).toEqual(expect.arrayContaining(kept))
    const deleted = this.deleted.filter(({ container, local }) => container === id && first.has(local)).length
    expect(deleted, `deleted blocks of container ${id} that are recorded`).toBeLessThanOrEqual(deletedBlocks)
    expect(deleted / first.size, `garbage of container ${id}`).toBeLessThan(0.5)
  }
}

async function tolerating(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof StoreError && mayFail.test(error.code))) throw error
  }
}

const worker: MakeWorker = (parts) => replicationWorker({ config: repair, random: { fraction: () => 0.5 } })(parts)

async function play(steps: readonly Step[], plant?: Plant): Promise<number> {
  let reencoded = 0
  await withMembers(
    async (members) => {
      const program = new Program(members, plant)
      await program.run(steps)
      reencoded = program.reencoded
    },
    config,
    [worker],
  )
  return reencoded
}

/** A few containers: encoded, then most of one deleted, then something while it is encoded anew. */
const course: readonly Step[] = [
  ...Array.from({ length: 6 }, (): Step => ({ kind: 'write', nth: 4 })),
  ...Array.from({ length: 8 }, (_, n): Step => ({ kind: 'close', nth: n })),
  { kind: 'wait', seconds: 40 },
  { kind: 'delete-most', nth: 0, share: 0.6 },
  { kind: 'wait', seconds: 2 },
  { kind: 'delete', nth: 0 },
  { kind: 'wait', seconds: 40 },
]

test('a container of which most is deleted is encoded anew', { timeout: 120_000 }, async () => {
  expect(await play(course)).toBeGreaterThan(0)
})

test('also when the leader changes while it is encoded anew', { timeout: 120_000 }, async () => {
  const at = course.findIndex(({ kind }) => kind === 'delete-most') + 2
  for (const before of ['aware', 'unaware'] as const) {
    const elect: Step = { kind: 'elect', member: 'c', before }
    expect(await play(course.toSpliced(at, 0, elect))).toBeGreaterThan(0)
  }
})

test.each<readonly [string, Plant]>([
  [
    'leaves less out than it was told',
    (command) => (command.kind === 'encode-container' ? { ...command, leaveOut: [], worthShare: 0 } : command),
  ],
  [
    'leaves more out than it was told',
    (command) => {
      if (command.kind !== 'encode-container' || command.leaveOut === undefined) return command
      return { ...command, leaveOut: command.leaveOut.map((range) => ({ ...range, count: range.count + 2 })) }
    },
  ],
])('a datanode that %s is found out', { timeout: 120_000 }, async (_, plant) => {
  await expect(play(course, plant)).rejects.toThrow(/^expected|container/)
})

/** `SCM_PROGRAMS=500` for more. */
const runs = Number(process.env['SCM_PROGRAMS'] ?? '12')
test(
  'whatever happens, what is kept is in the shards, and what is deleted goes from them or is recorded',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), async (steps) => {
        await play(steps)
      }),
      { numRuns: runs, endOnFailure: true },
    )
  },
  60_000 + runs * 10_000,
)
