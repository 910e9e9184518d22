/**
 * What 10,000 containers on one disk cost a datanode. Started by `npm run bench:cluster -- --only scale`; alone:
 *
 *   node cli/bin/o3.mjs --run hdds/bench/many-containers.ts [--containers 10000]
 *
 * Prints a line of JSON for each fact. No figure decides a test.
 */

import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { nodeEnv } from '@o3/common/env/node'
import type { Env } from '@o3/common/env'
import { openLevelKv } from '@o3/common/kv/level'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import type { DatanodeAnswer, Heartbeat } from '@o3/scm/api'
import { defaultHddsConfig } from '../src/config.ts'
import type { HddsConfig } from '../src/config.ts'
import { Heartbeating } from '../src/reconcilers/heartbeat.ts'
import { ScmCommands } from '../src/reconcilers/scm-commands.ts'
import { openDatanode } from '../src/service/open-datanode.ts'
import type { LocalDatanode } from '../src/service/local-datanode.ts'
import { syncless } from './syncless.ts'

const { values: flags } = parseArgs({
  options: {
    containers: { type: 'string', default: '10000' },
    /** Only makes the disk, there: so that the process that is measured has not made it. */
    fill: { type: 'string' },
  },
})
const containers = Number(flags.containers)
const small = new Uint8Array(4096).fill(7)
const atATime = 64

function fact(what: string, figure: string): void {
  process.stdout.write(`${JSON.stringify([what, figure])}\n`)
}

function open(env: Env, directory: string, config: HddsConfig = defaultHddsConfig): Promise<LocalDatanode> {
  return openDatanode({
    env,
    disks: [join(directory, 'disk')],
    clusterId: 'bench',
    datanodeId: 'dn1',
    config,
    log: nullLogger,
    metrics: createMetrics(),
    openKv: (path) => openLevelKv(path),
  })
}

/** Two blocks in each, and closed. Without syncs: nobody counts on these. */
async function fill(directory: string): Promise<void> {
  // Room that is made in advance costs more than what is written here.
  const datanode = await open(syncless(nodeEnv()), directory, { ...defaultHddsConfig, preallocateBytes: 0 })
  for (let first = 1; first <= containers; first += atATime) {
    const ids = Array.from({ length: Math.min(atATime, containers - first + 1) }, (_, n) => first + n)
    await Promise.all(ids.map((container) => fillOne(datanode, container)))
  }
  await datanode.close()
}

async function fillOne(datanode: LocalDatanode, container: number): Promise<void> {
  for (const local of [1, 2]) await datanode.writeBlock({ container, local }, [small])
  await datanode.closeContainer(container)
}

/** An SCM that takes note and asks for nothing. */
const answer: DatanodeAnswer = { term: 1, commands: [] }
const beats: Heartbeat[] = []
const listening = {
  register: () => Promise.resolve(answer),
  heartbeat: (heartbeat: Heartbeat) => {
    beats.push(heartbeat)
    return Promise.resolve(answer)
  },
}

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}

async function measure(directory: string): Promise<void> {
  const before = process.memoryUsage()
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  const datanode = await open(nodeEnv(), directory)
  fact('a datanode with so many on one disk starts after', `${((performance.now() - startMs) / 1000).toFixed(1)} s`)
  fact('  CPU', `${cpuMs(cpu).toFixed(0)} ms`)
  fact('  file handles open', String(readdirSync('/proc/self/fd').length))
  await beat(datanode)
  const { heapUsed, rss } = process.memoryUsage()
  fact('its memory: heap', `${((heapUsed - before.heapUsed) / 1e6).toFixed(0)} MB`)
  fact('  the whole process, resident', `${(rss / 1e6).toFixed(0)} MB`)
  // Every container is read once: the files that rest are bounded.
  for (let container = 1; container <= containers; container++) {
    await datanode.readSmall({ container, local: 1 }, { offset: 0, length: small.length })
  }
  fact('file handles open when all have been read', String(readdirSync('/proc/self/fd').length))
  await datanode.close()
}

async function beat(datanode: LocalDatanode): Promise<void> {
  const commands = new ScmCommands({ env: nodeEnv(), datanode, log: nullLogger })
  const talk = new Heartbeating({
    datanode,
    member: { id: 'scm1', scm: listening },
    commands,
    address: 'dn1:1',
    config: defaultHddsConfig,
    process: 'bench',
    log: nullLogger,
  })
  const { signal } = new AbortController()
  for (let warm = 0; warm < 20; warm++) await talk.run(signal)
  const rounds = 100
  const cpu = process.cpuUsage()
  for (let round = 0; round < rounds; round++) await talk.run(signal)
  fact('a heartbeat without news to one SCM: CPU', `${(cpuMs(cpu) / rounds).toFixed(2)} ms`)
  if (beats.at(-1)?.containers.length !== 0) throw new Error('there was news')
}

async function run(): Promise<void> {
  const directory = await mkdtemp(join(process.cwd(), '.bench-hdds-'))
  try {
    const given = ['--containers', flags.containers, '--fill', directory]
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...given], { stdio: 'inherit' })
    const code = await new Promise((resolve) => child.once('close', resolve))
    if (code !== 0) throw new Error(`the disk could not be made: ${String(code)}`)
    await measure(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

if (flags.fill === undefined) await run()
else await fill(flags.fill)
