/**
 * Runs seeds of the simulations: of the Raft core, or, with `--system`, of a whole cluster, with a stub for the datanodes or
 * with real ones. `npm run sim -- [--system [--shape datanodes]] --seed 7 [--count 100] [--trace]`. One seed prints its plan and
 * its outcome; several print a line together, and the first violation ends it.
 */

import { parseArgs } from 'node:util'
import { RaftCore } from '../ratis/src/core/raft-core.ts'
import * as core from '../ratis/src/testing/core-sim/core-sim.ts'
import * as system from '../cluster/test/system-sim/system-sim.ts'

const tracedLines = 100

const { values } = parseArgs({
  options: {
    system: { type: 'boolean', default: false },
    shape: { type: 'string', default: 'names' },
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
  },
})

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const first = Number(values.seed)
const count = Number(values.count)
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1) {
  throw new Error('--seed and --count are whole numbers')
}

interface Outcome {
  readonly seed: number
  readonly traceHash: string
  readonly violation: { readonly checker: string; readonly reason: string; readonly atMs: number } | undefined
}

interface Simulated<Result extends Outcome> {
  readonly run: (seed: number) => Result | Promise<Result>
  readonly plan: (seed: number) => readonly string[]
  /** The last events of the seed. */
  readonly trace: (seed: number) => Promise<readonly string[]>
  readonly ledger: (results: readonly Result[]) => string
}

const coreFactory = (...[options, start]: ConstructorParameters<typeof RaftCore>): RaftCore =>
  new RaftCore(options, start)

const ofCore: Simulated<core.RunResult> = {
  run: (seed) => core.runSeed(seed, { coreFactory }),
  plan: (seed) => core.printPlan(core.planOf(seed)),
  trace: async (seed) => core.runSeed(seed, { coreFactory, recording: 'recorded' }).trace,
  ledger: core.ledgerLine,
}

const ofSystem: Simulated<system.RunResult> = {
  run: (seed) => system.runSeed(seed),
  plan: (seed) => system.printPlan(system.planOf(seed)),
  trace: async (seed) => (await system.runSeed(seed)).trace,
  ledger: system.ledgerLine,
}

const ofDatanodes: Simulated<system.DataRunResult> = {
  run: (seed) => system.runDataSeed(seed),
  plan: (seed) => system.printDataPlan(system.dataPlanOf(seed)),
  trace: async (seed) => (await system.runDataSeed(seed)).trace,
  ledger: system.dataLedgerLine,
}

async function runAll<Result extends Outcome>(simulated: Simulated<Result>): Promise<void> {
  const results: Result[] = []
  for (let seed = first; seed < first + count; seed++) {
    const result = await simulated.run(seed)
    results.push(result)
    if (result.violation !== undefined || count === 1) await show(simulated, result)
    if (result.violation === undefined) continue
    process.exitCode = 1
    break
  }
  say(simulated.ledger(results))
}

async function show<Result extends Outcome>(simulated: Simulated<Result>, result: Result): Promise<void> {
  const { seed, violation, traceHash } = result
  for (const line of simulated.plan(seed)) say(line)
  if (violation !== undefined || values.trace) {
    for (const line of (await simulated.trace(seed)).slice(-tracedLines)) say(line)
  }
  if (violation === undefined) say(`seed ${seed}: all promises kept; trace ${traceHash}`)
  else say(`seed ${seed}: ${violation.checker} at ${violation.atMs.toFixed(2)} ms: ${violation.reason}`)
}

if (!['names', 'datanodes'].includes(values.shape)) throw new Error('--shape is names or datanodes')
if (!values.system) await runAll(ofCore)
else await (values.shape === 'datanodes' ? runAll(ofDatanodes) : runAll(ofSystem))
