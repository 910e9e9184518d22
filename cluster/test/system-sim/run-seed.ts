import { checkLinearizable, type Model, type Recorded } from '@o3/ratis/testing'
import { insist } from './insist.ts'
import { Nemesis } from './nemesis.ts'
import { bucketModel, keyModel, treeModel } from './models.ts'
import { planOf, type FaultKind, type SystemPlan } from './plan.ts'
import { SystemViolation } from './violation.ts'
import type { GroupWatch } from './group-watch.ts'
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

/** In election timeouts: how soon a healed majority must answer. Clients give a silent member some seconds. */
const answerWithin = 20

/** How soon nothing is left of leases that have run out and of keys that were deleted. */
const garbageMs = 40_000

/** Leases end by the wall clocks of leaders, so not where those were set. */
const isSoonCollected = ({ om, perMinute }: SystemPlan): boolean =>
  om.leaseDurationMs < 5_000 && perMinute['clock-step'] === undefined

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
  const supervisor = new Supervisor(world)
  const run: Run = { world, workload: new Workload(world), nemesis: new Nemesis(world, supervisor), supervisor }
  const { workload } = run
  let violation: RunResult['violation']
  try {
    await world.simulation.run(() => live(run))
    judge(workload)
  } catch (error) {
    violation = { ...violationOf(error), atMs: world.simulation.nowMs }
    for (const member of world.members) world.tell(`${member.id}: ${member.describe()}`)
  }
  const { simulation, groups, book } = world
  const sum = (of: (watch: GroupWatch) => number): number => groups.reduce((total, { watch }) => total + of(watch), 0)
  return {
    seed,
    simulatedMs: simulation.nowMs,
    traceHash: simulation.traceHash,
    trace: world.story,
    counts: workload.counts,
    blocks: book.blocks,
    commits: sum(({ committed }) => committed),
    terms: sum(({ terms }) => terms),
    installs: sum(({ installs }) => installs),
    faults: run.nemesis.counts,
    refusedStarts: run.supervisor.refusedStarts,
    violation,
  }
}

/** Which checker says so, and what it saw; what is thrown by something else is a broken promise too. */
export function violationOf(error: unknown): { readonly checker: string; readonly reason: string } {
  if (error instanceof SystemViolation) return { checker: error.checker, reason: error.message }
  if (!(error instanceof Error)) return { checker: 'no-throw', reason: String(error) }
  if (error.cause instanceof SystemViolation) return { checker: error.cause.checker, reason: error.cause.message }
  const cause = error.cause instanceof Error ? `\n${error.cause.stack ?? error.cause.message}` : ''
  return { checker: 'no-throw', reason: (error.stack ?? error.message) + cause }
}

async function live(run: Run): Promise<void> {
  const { world, workload, nemesis, supervisor } = run
  const { plan, simulation, members } = world
  await Promise.all(members.map((member) => member.start()))
  for (const member of members) supervisor.keep(member)
  world.startDatanode()
  await workload.start()
  await simulation.clock.sleep(plan.calmMs)
  nemesis.start()
  await Promise.all([simulation.clock.sleep(plan.safetyMs), compareNowAndThen(run)])
  await nemesis.stop()
  world.isCalm = true
  world.mischief = { loss: 0, duplicate: 0, late: 0 }

  const left = oneOfEach(run)
  world.tell(`healed, but for ${left.map(({ id }) => id).join(' and ')}`)
  for (const member of left) supervisor.rest(member)
  await workload.probe(answerWithin * plan.raft.electionTimeoutMs)
  await workload.stop()
  for (const member of left) supervisor.wake(member)
  await settled(world)
  await workload.readBack()
  await expectEqual(world)
  await eachLeads(run)
  await workload.audit()
  if (isSoonCollected(plan)) await workload.expectNoGarbage(garbageMs)
  await supervisor.stop()
  await world.stopDatanode()
  workload.close()
  await closeAll(world)
}

/**
 * One member of each group that stays away while the others must make progress: the one that lost something, if any did. Not
 * the last one that clients have in their configuration.
 */
function oneOfEach({ world, nemesis }: Run): readonly AnyMember[] {
  return world.groups.flatMap(({ voters, firstIds }) => {
    const known = voters.filter(({ id }) => firstIds.includes(id))
    const dispensable = voters.filter((member) => known.length > 1 || !known.includes(member))
    const bad = voters.filter((member) => member.isBad)
    const choices = bad.length === 0 ? dispensable : dispensable.filter((member) => bad.includes(member))
    const chosen = choices[nemesis.random.below(choices.length)]
    return chosen === undefined ? [] : [chosen]
  })
}

async function compareNowAndThen({ world, nemesis }: Run): Promise<void> {
  const { simulation, plan } = world
  const endMs = simulation.nowMs + plan.safetyMs
  while (simulation.nowMs < endMs) {
    await simulation.clock.sleep(1_500)
    const { members } = world
    const member = members[nemesis.random.below(members.length)]
    if (member !== undefined) await insist(simulation.clock, 1, () => member.compareRows())
  }
}

/** All members of each group have applied the same; who is in it follows from its log. */
async function settled(world: SystemWorld): Promise<void> {
  const isSettled = (group: {
    readonly leader: unknown
    settle(): void
    readonly voters: readonly AnyMember[]
  }): boolean => {
    group.settle()
    const places = new Set(group.voters.map(({ life }) => life?.store.status().appliedIndex))
    return group.leader !== undefined && places.size === 1
  }
  await world.until('all members have applied the same', 30_000, () => isSettled(world.om) && isSettled(world.scm))
}

async function expectEqual(world: SystemWorld): Promise<void> {
  for (const member of world.groups.flatMap(({ voters }): readonly AnyMember[] => voters)) {
    const { kind } = await insist(world.simulation.clock, 10_000, () => member.compareRows())
    if (kind !== 'answer') world.accuse('progress', `${member.id} does not answer a read`)
  }
}

/** Every member of OM leads in its turn, and remembers what was answered. */
async function eachLeads({ world, workload }: Run): Promise<void> {
  const { om, simulation, plan } = world
  for (const member of om.voters) {
    const endMs = simulation.nowMs + 20 * plan.raft.electionTimeoutMs
    while (om.leader !== member && simulation.nowMs < endMs) {
      const { leader } = om
      if (leader !== undefined) await insist(simulation.clock, 1, () => handOver(leader, member.id))
      await simulation.clock.sleep(100)
    }
    if (om.leader !== member) world.accuse('progress', `${member.id} cannot be made the leader`)
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
