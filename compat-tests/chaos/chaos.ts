/**
 * `npm run chaos -- <scenario> [--seconds 60] [--every 5] [--workers 8] [--seed …]`: the processes of a cluster in threes
 * under faults and under load. No request may fail within its budget, everything is read back byte for byte, and what the
 * clients were told must be explained by one order of what they asked.
 */

import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { leaderKills } from './leader-kills.ts'
import { runScenario } from './scenario.ts'
import type { Stage } from './scenario.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    every: { type: 'string', default: '5' },
    workers: { type: 'string', default: '8' },
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
  },
})
const seconds = Number(values.seconds)

const scenarios: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  'leader-kills': (stage) => leaderKills(stage, { seconds, every: Number(values.every) }),
}

const [name = ''] = positionals
const faults = scenarios[name]
if (faults === undefined) throw new Error(`no scenario "${name}"; there are ${Object.keys(scenarios).join(', ')}`)
await runScenario({ name, seed: values.seed, workers: Number(values.workers) }, faults)
