/**
 * `npm run chaos -- <scenario> [--seconds 60] [--every 5] [--of om|scm] [--workers 8] [--seed …]`: the processes of a cluster in threes
 * under faults and under load. No request may fail within its budget, everything is read back byte for byte, and what the
 * clients were told must be explained by one order of what they asked.
 */

import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { leaderKills } from './leader-kills.ts'
import { datanodeHosts, datanodes } from './datanodes.ts'
import { links, omHosts } from './links.ts'
import { mixed } from './mixed.ts'
import { onOwnNetwork } from './own-network.ts'
import { runScenario } from './scenario.ts'
import type { ScenarioOptions, Stage } from './scenario.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    every: { type: 'string', default: '5' },
    of: { type: 'string', default: 'om' },
    workers: { type: 'string', default: '8' },
    /** Of the hosts that a scenario made for itself. */
    network: { type: 'string' },
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
  },
})
const seconds = Number(values.seconds)

const scenarios: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  'leader-kills': (stage) => leaderKills(stage, { seconds, every: Number(values.every), group: values.of }),
  mixed: (stage) => mixed(stage, { seconds }),
}

/** Those whose processes have hosts of their own. */
const onHosts: Readonly<Record<string, HostedScenario>> = {
  links: { hosts: omHosts, run: links },
  datanodes: { hosts: datanodeHosts, run: (how, network) => datanodes(how, network, seconds) },
}
interface HostedScenario {
  readonly hosts: readonly string[]
  readonly run: (options: ScenarioOptions, network: string) => Promise<void>
}

const [name = ''] = positionals
const options = { name, seed: values.seed, workers: Number(values.workers) }
const faults = scenarios[name]
const hosted = onHosts[name]
if (hosted !== undefined) {
  const { network } = values
  const args = [name, '--seed', values.seed, '--workers', values.workers, '--seconds', values.seconds]
  if (network !== undefined) await hosted.run(options, network)
  else process.exitCode = await onOwnNetwork(args, hosted.hosts)
} else if (faults !== undefined) await runScenario(options, faults)
else
  throw new Error(`no scenario "${name}"; there are ${[...Object.keys(scenarios), ...Object.keys(onHosts)].join(', ')}`)
