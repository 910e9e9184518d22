/**
 * `npm run bench:cluster [-- --seconds 3] [--only speed,memory,loss,ec,scale,sizes] [--data-gb 2] [--save]`: what three copies cost, next to a single
 * node in the same run; how much memory datanodes take under large writes; how soon a lost datanode is noticed and its copies are made anew;
 * what erasure coding costs, and GETs of what is erasure-coded while a datanode is dead; what very many containers cost, and what large ones do.
 *
 * `--save` rewrites the sections of docs/benchmark.md that were measured. No figure decides a test.
 */

import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { processesOf } from '../chaos/processes.ts'
import { startServer } from '../harness/server.ts'
import { KiB, MiB, clusterOf, targetOf } from './bench-cluster.ts'
import { codingRates } from './coding-rates.ts'
import { containerSizes } from './container-sizes.ts'
import { loseDatanode } from './datanode-loss.ts'
import { degradedReads } from './degraded-reads.ts'
import { fill, runLoad } from './load-run.ts'
import type { Load, LoadTarget } from './load-run.ts'
import { usageOf } from './process-usage.ts'
import { manyContainers } from './many-containers.ts'
import { saveSection } from './section.ts'
import { factTable } from './table.ts'
import type { Fact } from './table.ts'

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    only: { type: 'string', default: 'speed,memory,loss,ec,scale,sizes' },
    'data-gb': { type: 'string', default: '2' },
    save: { type: 'boolean', default: false },
  },
})
const wanted = new Set(flags.only.split(','))
const directory = mkdtempSync(join(tmpdir(), 'o3-bench-cluster-'))

const cases: readonly Omit<Load, 'prefix'>[] = [
  { operation: 'put', size: 4 * KiB, connections: 64, keys: 2048 },
  { operation: 'put', size: 16 * KiB, connections: 64, keys: 2048 },
  { operation: 'put', size: 8 * MiB, connections: 16, keys: 32 },
  { operation: 'get', size: 4 * KiB, connections: 64, keys: 2048 },
  { operation: 'get', size: 16 * KiB, connections: 64, keys: 2048 },
  { operation: 'get', size: 8 * MiB, connections: 16, keys: 32 },
]

interface Compared {
  readonly label: string
  readonly connections: number
  /** Requests a second: all in one process; a process for each role and one datanode; three datanodes. */
  readonly single: number
  readonly one: number
  readonly three: number
  readonly p99Ms: number
}

/** All stand at once; two of them are idle. In turn, twice, and the better of each. */
async function speed(): Promise<readonly Compared[]> {
  const single = await startServer({ directory: join(directory, 'single') })
  const lonely = await clusterOf({ directory, datanodes: 1 })
  const cluster = await clusterOf({ directory, datanodes: 3 })
  try {
    const targets = [await targetOf(single), await targetOf(lonely), await targetOf(cluster)]
    const rows: Compared[] = []
    for (const given of cases) rows.push(await compare(given, targets))
    return rows
  } finally {
    await cluster.stop()
    await lonely.stop()
    await single.stop()
  }
}

async function compare(given: Omit<Load, 'prefix'>, targets: readonly LoadTarget[]): Promise<Compared> {
  const load = { ...given, prefix: `${given.operation}-${given.size}-` }
  const duration = `${flags.seconds}s`
  for (const target of targets) {
    if (given.operation === 'get') await fill(target, load)
    await runLoad(target, load, duration)
  }
  const best = targets.map(() => 0)
  let p99Ms = Infinity
  for (let round = 0; round < 2; round++) {
    for (const [n, target] of targets.entries()) {
      const { errors, perSecond, p99Ms: p99 } = await runLoad(target, load, duration)
      if (errors > 0) throw new Error(`${given.operation} of ${given.size}: ${errors} errors`)
      best[n] = Math.max(best[n] ?? 0, perSecond)
      if (n === 2) p99Ms = Math.min(p99Ms, p99)
    }
  }
  const [single = 0, one = 0, three = 0] = best
  const size = given.size >= MiB ? `${given.size / MiB} MiB` : `${given.size / KiB} KiB`
  const row = { label: `${given.operation} ${size}`, connections: given.connections, single, one, three, p99Ms }
  process.stdout.write(`${JSON.stringify(row)}\n`)
  return row
}

/** 32 bodies of a GiB each are under way, as far as they get. */
async function memory(): Promise<readonly Fact[]> {
  const server = await clusterOf({ directory, datanodes: 3 })
  try {
    const target = await targetOf(server)
    const pids = (await processesOf(server.directory)).filter(({ role }) => role === 'datanode').map(({ pid }) => pid)
    const load = { operation: 'put', size: 1024 * MiB, connections: 32, keys: 32, prefix: 'large-' } as const
    const running = runLoad(target, load, '10ms')
    let highest = 0
    let isOver = false
    void running.finally(() => (isOver = true)).catch(() => undefined)
    const untilMs = performance.now() + memoryMs
    while (!isOver && performance.now() < untilMs) {
      highest = Math.max(highest, ...pids.map((pid) => usageOf(pid).rssMB))
      await sleep(250)
    }
    return [['memory of a datanode under 32 bodies of 1 GiB, highest', `${highest.toFixed(0)} MB`]]
  } finally {
    await server.kill()
  }
}

const memoryMs = 60_000

async function loss(): Promise<readonly Fact[]> {
  const gigabytes = Number(flags['data-gb'])
  const server = await clusterOf({ directory, datanodes: 4 })
  try {
    const target = await targetOf(server)
    const keys = Math.ceil((gigabytes * 1000 * MiB * (4 / 3)) / (8 * MiB))
    await fill(target, { operation: 'put', size: 8 * MiB, connections: 16, keys, prefix: 'loss-' })
    const { gigabytes: lost, suspectedS, firstCopyS, copiedS } = await loseDatanode(server)
    return [
      ['a datanode is killed for good: suspected after', `${suspectedS.toFixed(1)} s`],
      ['  first copy under way after', `${firstCopyS.toFixed(1)} s`],
      [`  all of its ${lost.toFixed(1)} GB copied after`, `${copiedS.toFixed(1)} s`],
    ]
  } finally {
    await server.kill()
  }
}

function speedTable(rows: readonly Compared[]): string {
  const lines = rows.map(({ label, connections, single, one, three, p99Ms }) => {
    const rates = [single, one, three].map((rate) => rate.toFixed(0))
    return [label, connections, ...rates, p99Ms.toFixed(1), (three / one).toFixed(2), (three / single).toFixed(2)]
  })
  return [
    '| operation | conn | `o3 start` ops/s | one datanode ops/s | three copies ops/s | p99 ms | to one datanode | to `o3 start` |',
    '|---|---:|---:|---:|---:|---:|---:|---:|',
    ...lines.map((line) => `| ${line.join(' | ')} |`),
    '',
  ].join('\n')
}

async function datanodes(): Promise<string> {
  const parts: string[] = []
  if (wanted.has('speed')) parts.push(speedTable(await speed()))
  const facts = [...(wanted.has('memory') ? await memory() : []), ...(wanted.has('loss') ? await loss() : [])]
  if (facts.length > 0) parts.push(factTable(facts))
  return parts.join('\n')
}

async function erasureCoding(): Promise<string> {
  const rates = await codingRates()
  return `${rates}\n${await degradedReads({ directory, seconds: Number(flags.seconds) })}`
}

/** A section without figures is left as it is. */
async function show(heading: string, page: string, figures: string): Promise<void> {
  if (figures === '') return
  process.stdout.write(`\n${figures}`)
  if (flags.save) await saveSection(heading, join(import.meta.dirname, page), figures)
}

try {
  await show('Datanodes', 'cluster-page.md', await datanodes())
  await show('Erasure coding', 'ec-page.md', wanted.has('ec') ? await erasureCoding() : '')
  const many = wanted.has('scale') ? factTable(await manyContainers()) : ''
  await show('Many containers', 'many-containers-page.md', many)
  await show('Container size', 'container-sizes-page.md', wanted.has('sizes') ? await containerSizes(directory) : '')
} finally {
  // Not rmSync: where a process that is ending removes a file first, that one stops half-way, and calls it success.
  await rm(directory, { recursive: true, force: true, maxRetries: 10 })
}
