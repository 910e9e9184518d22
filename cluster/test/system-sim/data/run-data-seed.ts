import { insist } from '../insist.ts'
import { violationOf, type RunResult } from '../run-seed.ts'
import { Supervisor } from '../supervisor.ts'
import { DataNemesis } from './data-nemesis.ts'
import { dataPlanOf, type DataFault, type DataPlan } from './data-plan.ts'
import { DataWorkload, type DataCounts } from './data-workload.ts'
import { DataWorld, type DataPlants } from './data-world.ts'
import { FinalChecks } from './final-checks.ts'
import { RowWatch } from './row-watch.ts'
import { hddsBounds } from './small-bounds.ts'

export interface DataRunOptions {
  readonly plan?: DataPlan
  readonly plants?: DataPlants
  /** What happens, in place of the faults of the plan. */
  readonly scene?: Scene
}

/** Something that takes more than chance to come about. */
export type Scene = (on: Pick<Run, 'world' | 'workload' | 'supervisor'>) => Promise<void>

export interface DataRunResult extends Pick<RunResult, 'seed' | 'simulatedMs' | 'traceHash' | 'trace' | 'violation'> {
  readonly counts: DataCounts
  readonly containers: number
  readonly encoded: number
  readonly encodedAnew: number
  readonly faults: ReadonlyMap<DataFault, number>
}

/** How soon everything is whole that faults have left behind. */
const wholenessMs = 180_000
/** All disks are read once more by the scrubbers. */
const scrubbedMs = 2 * hddsBounds.scrubDeadlineMs

export interface Run {
  readonly world: DataWorld
  readonly workload: DataWorkload
  readonly nemesis: DataNemesis
  readonly supervisor: Supervisor
  readonly checks: FinalChecks
  readonly tally: { containers: number; encoded: number; encodedAnew: number }
}

/** One seed with real datanodes, from its plan to its end: same seed, same code, same run. */
export async function runDataSeed(seed: number, options: DataRunOptions = {}): Promise<DataRunResult> {
  const world = new DataWorld(options.plan ?? dataPlanOf(seed), options.plants)
  const supervisor = new Supervisor(world)
  const workload = new DataWorkload(world)
  const nemesis = new DataNemesis(world, supervisor, workload.first)
  const checks = new FinalChecks(world, workload.first)
  const tally = { containers: 0, encoded: 0, encodedAnew: 0 }
  let violation: RunResult['violation']
  try {
    await world.simulation.run(() => live({ world, workload, nemesis, supervisor, checks, tally }, options.scene))
  } catch (error) {
    violation = { ...violationOf(error), atMs: world.simulation.nowMs }
    for (const machine of [...world.om.members, ...world.scm.members, ...world.datanodes]) {
      world.tell(`${machine.id}: ${machine.describe()}`)
    }
  }
  const { simulation, story: trace } = world
  const { nowMs: simulatedMs, traceHash } = simulation
  return { seed, simulatedMs, traceHash, trace, violation, counts: workload.counts, faults: nemesis.counts, ...tally }
}

async function live(run: Run, scene: Scene | undefined): Promise<void> {
  const { world, workload, nemesis, supervisor } = run
  const { simulation, plan } = world
  const { clock } = simulation
  const machines = [...world.om.members, ...world.scm.members, ...world.datanodes]
  await Promise.all(machines.map((machine) => machine.start()))
  for (const machine of machines) supervisor.keep(machine)
  const rows = new RowWatch(world, workload.first)
  const watching = world.guarded(rows.run())
  await workload.start()
  await clock.sleep(plan.calmMs)
  if (scene === undefined) {
    nemesis.start()
    await clock.sleep(plan.safetyMs)
    await nemesis.stop()
  } else await scene(run)
  world.isCalm = true
  world.tell('healed')
  await workload.probe(60_000)
  await workload.stop()
  await judge(run)
  rows.isOver = true
  await watching
  await supervisor.stop()
  workload.close()
  await close(run)
}

async function judge({ world, workload, checks, tally }: Run): Promise<void> {
  const { clock } = world.simulation
  await world.until('every datanode runs', 30_000, () => world.datanodes.every(({ life }) => life !== undefined))
  await workload.readBack()
  await checks.closeAll()
  const named = await workload.namedBlocks()
  await checks.expectWholeness(wholenessMs, named)
  world.tell('whole')
  await clock.sleep(scrubbedMs)
  await checks.expectWholeness(wholenessMs, named)
  await workload.readBack()
  await checks.expectEqualBytes(named)
  const { env, om, scm } = workload.first
  const audit = await insist(env.clock, 10_000, () => om.audit())
  if (audit.kind !== 'answer' || audit.value.length > 0) world.accuse('audit', JSON.stringify(audit))
  const infos = await scm.listContainers({ limit: 10_000 })
  tally.containers = infos.at(-1)?.id ?? 0
  for (const { id } of infos) if ((await scm.containerInfo(id)).ec !== undefined) tally.encoded++
  tally.encodedAnew = checks.anew.size
}

async function close({ world, checks }: Run): Promise<void> {
  const machines = [...world.datanodes, ...world.om.members, ...world.scm.members]
  const lives = machines.flatMap(({ life }) => (life === undefined ? [] : [life]))
  for (const life of lives) await life.close()
  await world.simulation.clock.sleep(10_000)
  const left = lives.flatMap(({ running, process }) => [...running].map((name) => `${process.node}: ${name}`))
  if (left.length > 0) world.accuse('no-leaks', left.join(', '))
  for (const { node } of world.datanodes) node.kill()
  await checks.expectSoundDisks()
}
