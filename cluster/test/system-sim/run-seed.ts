import { checkLinearizable, type Model, type Recorded } from '@o3/ratis/testing'
import { insist } from './insist.ts'
import { Nemesis } from './nemesis.ts'
import { bucketModel, keyModel, treeModel } from './models.ts'
import { planOf, type FaultKind, type SystemPlan } from './plan.ts'
import { SystemViolation } from './violation.ts'
import { Supervisor } from './supervisor.ts'
import { Workload, type WorkloadCounts } from './workload.ts'
import { SystemWorld, type AnyMember, type OmMember, type SystemPlants } from './world.ts'

export interface RunOptions {
  readonly plan?: SystemPlan
  readonly plants?: SystemPlants
}

export interface RunResult {
  readonly seed: number
  readonly simulatedMs: number
  readonly traceHash: string
  /** What happened, in words. */
  readonly trace: readonly string[]
  readonly counts: WorkloadCounts
  readonly blocks: number
  readonly commits: number
  readonly terms: number
  readonly installs: number
  readonly faults: ReadonlyMap<FaultKind, number>
  readonly refusedStarts: ReadonlyMap<string, number>
  readonly violation: { readonly checker: string; readonly reason: string; readonly atMs: number } | undefined
}

interface Run {
  readonly world: SystemWorld
  readonly workload: Workload
  readonly nemesis: Nemesis
  readonly supervisor: Supervisor
}

/** One seed, from its plan to its end: same seed, same code, same run. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<RunResult> {
  const plan = options.plan ?? planOf(seed)
  const world = new SystemWorld(plan, options.plants)
  const run: Run = {
    world,
    workload: new Workload(world),
    nemesis: new Nemesis(world),
    supervisor: new Supervisor(world),
  }
  const { workload } = run
  let violation: RunResult['violation']
  try {
    await world.simulation.run(() => live(run))
    judge(workload)
  } catch (error) {
    violation = { ...violationOf(error), atMs: world.simulation.nowMs }
  }
  const { simulation, omWatch, scmWatch, book } = world
  return {
    seed,
    simulatedMs: simulation.nowMs,
    traceHash: simulation.traceHash,
    trace: world.story,
    counts: workload.counts,
    blocks: book.blocks,
    commits: omWatch.committed + scmWatch.committed,
    terms: omWatch.terms + scmWatch.terms,
    installs: omWatch.installs + scmWatch.installs,
    faults: run.nemesis.counts,
    refusedStarts: run.supervisor.refusedStarts,
    violation,
  }
}

function violationOf(error: unknown): { readonly checker: string; readonly reason: string } {
  if (error instanceof SystemViolation) return { checker: error.checker, reason: error.message }
  if (!(error instanceof Error)) return { checker: 'no-throw', reason: String(error) }
  if (error.cause instanceof SystemViolation) return { checker: error.cause.checker, reason: error.cause.message }
  const cause = error.cause instanceof Error ? `\n${error.cause.stack ?? error.cause.message}` : ''
  return { checker: 'no-throw', reason: (error.stack ?? error.message) + cause }
}

async function live(run: Run): Promise<void> {
  const { world, workload, nemesis, supervisor } = run
  const { plan, simulation, members, datanode, scmIds } = world
  await Promise.all(members.map((member) => member.start()))
  for (const member of members) supervisor.keep(member)
  const talk = datanode.start(world.machine('dn1'), scmIds)
  await workload.start()
  await simulation.clock.sleep(plan.calmMs)
  nemesis.start()
  await Promise.all([simulation.clock.sleep(plan.safetyMs), compareNowAndThen(run)])
  await nemesis.stop()
  world.isCalm = true
  world.mischief = { loss: 0, duplicate: 0, late: 0 }

  const left = oneOfEach(run)
  for (const member of left) supervisor.rest(member)
  await workload.probe()
  await workload.stop()
  for (const member of left) supervisor.wake(member)
  await settled(world)
  await workload.readBack()
  await expectEqual(world)
  await eachLeads(run)
  await workload.audit()
  await supervisor.stop()
  await talk.stop()
  workload.close()
  await closeAll(world)
}

/** One member of each group that stays away while the others must make progress: the one that lost something, if any did. */
function oneOfEach({ world, nemesis }: Run): readonly AnyMember[] {
  return [world.oms, world.scms].flatMap((group: readonly AnyMember[]) => {
    const bad = group.find((member) => member.isBad)
    const chosen = bad ?? group[nemesis.random.below(group.length)]
    return chosen === undefined ? [] : [chosen]
  })
}

async function compareNowAndThen({ world, nemesis }: Run): Promise<void> {
  const { simulation, plan, members } = world
  const endMs = simulation.nowMs + plan.safetyMs
  while (simulation.nowMs < endMs) {
    await simulation.clock.sleep(1_500)
    const member = members[nemesis.random.below(members.length)]
    if (member !== undefined) await insist(simulation.clock, 1, () => member.compareRows())
  }
}

/** All members of each group have applied the same. */
async function settled(world: SystemWorld): Promise<void> {
  const places = (members: readonly AnyMember[]): ReadonlySet<number | undefined> =>
    new Set(members.map(({ life }) => life?.store.status().appliedIndex))
  await world.until('all members have applied the same', 20_000, () => {
    return [world.oms, world.scms].every((members) => places(members).size === 1)
  })
}

async function expectEqual(world: SystemWorld): Promise<void> {
  for (const member of world.members) {
    const { kind } = await insist(world.simulation.clock, 10_000, () => member.compareRows())
    if (kind !== 'answer') world.accuse('progress', `${member.id} does not answer a read`)
  }
}

/** Every member of OM leads in its turn, and remembers what was answered. */
async function eachLeads({ world, workload }: Run): Promise<void> {
  const { oms, simulation, plan } = world
  for (const member of oms) {
    const endMs = simulation.nowMs + 20 * plan.raft.electionTimeoutMs
    while (member.life?.raft.mayPropose !== true && simulation.nowMs < endMs) {
      const leader = oms.find(({ life }) => life?.raft.mayPropose === true)
      if (leader?.life !== undefined) await insist(simulation.clock, 1, () => handOver(leader, member.id))
      await simulation.clock.sleep(100)
    }
    if (member.life?.raft.mayPropose !== true) world.accuse('progress', `${member.id} cannot be made the leader`)
    await workload.repeatSome()
  }
}

const handOver = async (leader: OmMember, to: string): Promise<void> => leader.life?.raft.transferLeadership(to)

async function closeAll({ members, accuse, simulation }: SystemWorld): Promise<void> {
  const lives = members.flatMap((member) => (member.life === undefined ? [] : [member.life]))
  await Promise.all(lives.map((life) => life.close()))
  await simulation.clock.sleep(10_000)
  const left = lives.flatMap(({ running, process }) => [...running].map((name) => `${process.node}: ${name}`))
  if (left.length > 0) accuse('no-leaks', left.join(', '))
}

function judge({ keys, trees, buckets }: Workload): void {
  expectLinearizable('keys', keyModel, keys)
  expectLinearizable('trees', treeModel, trees)
  expectLinearizable('buckets', bucketModel, buckets)
}

function expectLinearizable<State extends NonNullable<unknown>, Input, Output>(
  what: string,
  model: Model<State, Input, Output>,
  history: Recorded<Input, Output>,
): void {
  const verdict = checkLinearizable(model, history)
  if (verdict.kind === 'violation') throw new SystemViolation('linearizable', `${what}: ${verdict.report}`)
  if (verdict.kind === 'gave-up') throw new SystemViolation('linearizable', `${what}: gave up at ${verdict.key}`)
}
