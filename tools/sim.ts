/**
 * Runs seeds of the simulated Raft core: `npm run sim -- --seed 7 [--count 100] [--trace]`. One seed prints its plan and its
 * outcome; several print a line each, and the first violation ends it.
 */

import { parseArgs } from 'node:util'
import { RaftCore } from '../ratis/src/core/raft-core.ts'
import { ledgerLine, planOf, printPlan, runSeed, type RunResult } from '../ratis/src/testing/core-sim/core-sim.ts'

const tracedLines = 60

const { values } = parseArgs({
  options: {
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

const coreFactory = (...[options, start]: ConstructorParameters<typeof RaftCore>): RaftCore =>
  new RaftCore(options, start)

const results: RunResult[] = []
for (let seed = first; seed < first + count; seed++) {
  const result = runSeed(seed, { coreFactory })
  results.push(result)
  if (result.violation !== undefined || count === 1) show(result)
  if (result.violation !== undefined) {
    process.exitCode = 1
    break
  }
}
say(ledgerLine(results))

function show({ seed, violation, traceHash }: RunResult): void {
  for (const line of printPlan(planOf(seed))) say(line)
  if (violation !== undefined || values.trace) {
    const { trace } = runSeed(seed, { coreFactory, recording: 'recorded' })
    for (const line of trace.slice(-tracedLines)) say(line)
  }
  if (violation === undefined) say(`seed ${seed}: all promises kept; trace ${traceHash}`)
  else say(`seed ${seed}: ${violation.checker} at ${violation.atMs.toFixed(2)} ms: ${violation.reason}`)
}
