import { isJoint, membersOf } from '../../core/configuration.ts'
import type { NodeId } from '../../core/entry.ts'
import { Nemesis } from './nemesis.ts'
import { planOf, type FaultKind, type SimPlan } from './plan.ts'
import { scenePlan } from './scene-plan.ts'
import { noBugs, type Bugs } from './planted-bug.ts'
import { SimClient, type ClientCounts } from './sim-client.ts'
import { SimCluster } from './sim-cluster.ts'
import type { CoreFactory, SimMember } from './sim-member.ts'
import { SimWorld } from './sim-world.ts'
import { SimViolation } from './violation.ts'

export interface RunOptions {
  readonly coreFactory: CoreFactory
  /** Wrong things to do, for the tests of the simulator. */
  readonly bugs?: Bugs
  /** `recorded`: keep the last lines of the trace. The run is the same. */
  readonly recording?: 'recorded' | 'hashed'
  readonly plan?: SimPlan
  /** In place of what a plan does to the group. */
  readonly scene?: Scene
}

/** A script of faults. */
export interface Scene {
  /** Over the plan of a scene. */
  readonly plan?: Partial<SimPlan>
  /** It goes on when the condition that it yields is true. */
  play(nemesis: Nemesis): Iterable<() => boolean>
}

export interface Violation {
  readonly checker: string
  readonly reason: string
  readonly atMs: number
}

export interface RunResult {
  readonly seed: number
  readonly events: number
  readonly simulatedMs: number
  readonly commits: number
  readonly writes: number
  readonly reads: number
  readonly traceHash: string
  readonly faultCounts: ReadonlyMap<FaultKind, number>
  readonly violation: Violation | undefined
  /** Of a recorded run. */
  readonly trace: readonly string[]
}

/** In election timeouts: how soon a healed majority must answer a write and a read, and all agree after everybody is healed. */
const answerWithin = 20
const agreeWithin = 60
/** What a member of priority 0 waits for others to lead. */
const patience = 20

/** One seed, from its plan to its end: same seed, same code, same run. A violation, or anything thrown, ends it. */
export function runSeed(seed: number, options: RunOptions): RunResult {
  const { scene } = options
  const plan = options.plan ?? (scene === undefined ? planOf(seed) : scenePlan(seed, scene.plan))
  const world = new SimWorld(seed, options.recording ?? 'hashed')
  const counts: ClientCounts = { writes: 0, reads: 0 }
  let commits = 0
  let violation: Violation | undefined
  try {
    const { coreFactory, bugs = noBugs } = options
    const cluster = new SimCluster({ plan, world, coreFactory, bugs })
    try {
      live(cluster, counts, scene)
    } finally {
      commits = cluster.checkers.committed.lastIndex
    }
  } catch (error) {
    violation = violationOf(error, world.nowMs)
  }
  return {
    seed,
    events: world.events,
    simulatedMs: world.nowMs,
    commits,
    ...counts,
    traceHash: world.trace.hash,
    faultCounts: world.faultCounts,
    violation,
    trace: world.trace.recent(Infinity),
  }
}

function violationOf(error: unknown, atMs: number): Violation {
  if (error instanceof SimViolation) return { checker: error.checker, reason: error.message, atMs }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { checker: 'no-throw', reason: text, atMs }
}

function live(cluster: SimCluster, counts: ClientCounts, scene: Scene | undefined): void {
  const { world, plan } = cluster
  const nemesis = new Nemesis(cluster)
  let reads = 0
  const nextReadId = (): number => ++reads
  const clientOf = (number: number): SimClient => {
    return new SimClient({ number, cluster, counts, random: world.random.fork(`client/${number}`), nextReadId })
  }
  const clients = Array.from({ length: plan.workload.clients }, (_, number) => clientOf(number))
  for (const member of cluster.all.slice(0, plan.members)) member.start()
  for (const client of clients) client.start()
  probe(cluster, clientOf(clients.length), nextReadId)
  if (scene === undefined) {
    nemesis.start()
    world.runUntil(plan.safetyMs)
  } else play(scene, nemesis)

  nemesis.stop()
  for (const client of clients) client.isStopped = true
  healMajority(cluster, nemesis)
  const [client] = clients
  if (client !== undefined) mustAnswer(cluster, client)
  healAll(cluster, nemesis)
  mustAgree(cluster)
}

function play(scene: Scene, nemesis: Nemesis): void {
  const { world, plan } = nemesis.cluster
  let at = 0
  for (const condition of scene.play(nemesis)) {
    const untilMs = world.nowMs + answerWithin * plan.raft.electionTimeoutMs
    if (world.runUntil(untilMs, condition) === 'time')
      throw new SimViolation('scene', `it waits in vain, at place ${at}`)
    at++
  }
}

/**
 * Asks everybody who says it leads, also one that was deposed and does not know, for a read. While there are two, something is
 * written, which the old one must not hide.
 */
function probe(cluster: SimCluster, writer: SimClient, nextReadId: () => number): void {
  const { world, plan, checkers, all } = cluster
  const leaders = all.filter(({ view }) => view?.core.role === 'leader')
  if (leaders.length > 1) writer.writeOnce()
  for (const leader of leaders) {
    const id = nextReadId()
    checkers.readBegan(id)
    leader.read((fate) => {
      if (fate.kind === 'served') checkers.readServed({ id, ...fate })
    })
  }
  if (world.nowMs > plan.safetyMs) return
  world.after({
    kind: 'probe',
    who: 'reader',
    afterMs: plan.workload.probeMs,
    action: () => probe(cluster, writer, nextReadId),
  })
}

/** Just enough members that they must make progress, whatever the configuration; the others are cut off for good. */
function healMajority(cluster: SimCluster, nemesis: Nemesis): void {
  const { world, network } = cluster
  const chosen = new Set<NodeId>(cluster.members.keys())
  const order = [...chosen].sort(() => nemesis.random.fraction() - 0.5)
  for (const id of order) {
    chosen.delete(id)
    if (!nemesis.atlas.isQuorum(chosen)) chosen.add(id)
  }
  world.note('heal', [...chosen].join(''), [0, 0])
  nemesis.repairAll()
  network.isCalm = true
  for (const member of cluster.all) {
    member.isCalm = true
    if (chosen.has(member.id)) revive(cluster, member)
    else for (const id of cluster.members.keys()) nemesis.untilRepaired(separate(cluster, member.id, id))
  }
}

function separate({ network }: SimCluster, a: NodeId, b: NodeId): () => void {
  const opens = [network.close(a, b), network.close(b, a)]
  return () => opens.forEach((open) => open())
}

function revive(cluster: SimCluster, member: SimMember): void {
  member.disk.isFailing = false
  member.disk.slowness = 1
  member.resume()
  if (cluster.isWanted(member.id)) member.start()
}

/** What it takes at most to bring the hindmost up, one entry at a time, in milliseconds. */
function catchUpMs({ all, plan }: SimCluster): number {
  const lasts = all.filter(({ isUp }) => isUp).map(({ disk }) => disk.log.lastIndex)
  const lag = Math.max(...lasts) - Math.min(...lasts)
  const { network, disk } = plan
  return lag * 2 * (2 * network.delayMs[1] + disk.syncMs[1] + disk.readMs[1])
}

function mustAnswer(cluster: SimCluster, client: SimClient): void {
  const { world, plan } = cluster
  let isDone = false
  client.finish(() => {
    isDone = true
  })
  const isPatient = plan.priorities.includes(0)
  const withinMs = (answerWithin + (isPatient ? patience : 0)) * plan.raft.electionTimeoutMs + catchUpMs(cluster)
  if (world.runUntil(world.nowMs + withinMs, () => isDone) === 'time') {
    throw new SimViolation('progress', `no write and read were answered within ${withinMs} ms of healing a majority`)
  }
}

function healAll(cluster: SimCluster, nemesis: Nemesis): void {
  cluster.world.note('heal', 'all', [0, 0])
  nemesis.repairAll()
  for (const member of cluster.all) revive(cluster, member)
}

function mustAgree(cluster: SimCluster): void {
  const { world, plan } = cluster
  const withinMs = agreeWithin * plan.raft.electionTimeoutMs + catchUpMs(cluster)
  if (world.runUntil(world.nowMs + withinMs, () => disagreement(cluster) === undefined) === 'over') return
  throw new SimViolation('agreement', `${withinMs} ms after all was healed: ${disagreement(cluster) ?? ''}`)
}

/** What is still wrong: nobody leads, a change is half done, somebody is behind or may not vote. */
function disagreement(cluster: SimCluster): string | undefined {
  const leader = cluster.leader?.view
  if (leader === undefined) return 'nobody leads'
  const { configuration, commitIndex, lastIndex } = leader.core
  if (isJoint(configuration)) return 'a membership change is half done'
  if (commitIndex < lastIndex) return `${commitIndex} of ${lastIndex} entries are committed`
  for (const id of membersOf(configuration)) {
    const member = cluster.members.get(id)
    if (member?.view === undefined) return `${id} is down`
    const { machine, disk } = member.view
    if (machine.index < commitIndex) return `${id} applied ${machine.index} of ${commitIndex}`
    if (machine.hash !== leader.machine.hash) return `${id} differs from ${leader.id} at ${machine.index}`
    if (!disk.hardState.mayVote) return `${id} may still not vote`
  }
  return undefined
}
