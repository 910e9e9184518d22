/**
 * `npm run chaos -- <scenario> [--seconds 60] [--every 5] [--of om|scm] [--workers 8] [--seed …]`: the processes of a cluster in threes
 * under faults and under load. No request may fail within its budget, everything is read back byte for byte, and what the
 * clients were told must be explained by one order of what they asked.
 */

import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { leaderKills } from './leader-kills.ts'
import { links, onOwnNetwork } from './links.ts'
import { mixed } from './mixed.ts'
import { runScenario } from './scenario.ts'
import type { Stage } from './scenario.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    every: { type: 'string', default: '5' },
    of: { type: 'string', default: 'om' },
    workers: { type: 'string', default: '8' },
    /** Of the hosts that `links` made for itself. */
    network: { type: 'string' },
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
  },
})
const seconds = Number(values.seconds)

const scenarios: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  'leader-kills': (stage) => leaderKills(stage, { seconds, every: Number(values.every), group: values.of }),
  mixed: (stage) => mixed(stage, { seconds }),
}

const [name = ''] = positionals
const options = { name, seed: values.seed, workers: Number(values.workers) }
const faults = scenarios[name]
if (name === 'links') {
  const args = ['links', '--seed', values.seed, '--workers', values.workers]
  if (values.network !== undefined) await links(options, values.network)
  else process.exitCode = await onOwnNetwork(args)
} else if (faults !== undefined) await runScenario(options, faults)
else throw new Error(`no scenario "${name}"; there are ${[...Object.keys(scenarios), 'links'].join(', ')}`)
