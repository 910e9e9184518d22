import { checkLinearizable, type Model, type Recorded } from '@o3/ratis/testing'
import { bucketModel, keyModel, treeModel } from './models.ts'
import { planOf, type SystemPlan } from './plan.ts'
import { SystemViolation } from './violation.ts'
import { Workload, type WorkloadCounts } from './workload.ts'
import { SystemWorld, type AnyMember } from './world.ts'

export interface RunOptions {
  readonly plan?: SystemPlan
}

export interface RunResult {
  readonly seed: number
  readonly simulatedMs: number
  readonly traceHash: string
  readonly counts: WorkloadCounts
  readonly blocks: number
  readonly commits: number
  readonly terms: number
  readonly installs: number
  readonly violation: { readonly checker: string; readonly reason: string; readonly atMs: number } | undefined
}

/** One seed, from its plan to its end: same seed, same code, same run. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<RunResult> {
  const plan = options.plan ?? planOf(seed)
  const world = new SystemWorld(plan)
  const workload = new Workload(world)
  let violation: RunResult['violation']
  try {
    await world.simulation.run(() => live(world, workload))
    judge(workload)
  } catch (error) {
    violation = { ...violationOf(error), atMs: world.simulation.nowMs }
  }
  const { simulation, omWatch, scmWatch, book } = world
  return {
    seed,
    simulatedMs: simulation.nowMs,
    traceHash: simulation.traceHash,
    counts: workload.counts,
    blocks: book.blocks,
    commits: omWatch.committed + scmWatch.committed,
    terms: omWatch.terms + scmWatch.terms,
    installs: omWatch.installs + scmWatch.installs,
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

async function live(world: SystemWorld, workload: Workload): Promise<void> {
  const { plan, simulation, members, datanode, scmIds } = world
  await Promise.all(members.map((member) => member.start()))
  const talk = datanode.start(world.machine('dn1'), scmIds)
  await workload.start()
  await simulation.clock.sleep(plan.safetyMs)
  await workload.stop()
  await workload.probe()
  await settled(world)
  await workload.readBack()
  await expectEqual(world)
  await workload.audit()
  await talk.stop()
  workload.close()
  await closeAll(world)
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
  for (const member of world.members) await member.compareRows()
}

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
