/**
 * GETs of erasure-coded objects through S3: with all datanodes, and with one of them dead, in turn. A cluster of five and rs-3-2: every
 * container has a shard at each, so three in five of what is read lack data, and the others parity.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { processesOf } from '../chaos/processes.ts'
import type { Server } from '../harness/server.ts'
import { adminOf } from '../harness/admin.ts'
import { KiB, MiB, clusterOf, illOf, targetOf } from './bench-cluster.ts'
import type { ContainerReport, NodeRow } from './bench-cluster.ts'
import { fill, runLoad } from './load-run.ts'
import type { Load, LoadTarget } from './load-run.ts'
import { usageOf } from './process-usage.ts'

export interface DegradedReadsOptions {
  readonly directory: string
  readonly seconds: number
}

const loads: readonly Load[] = [
  { operation: 'get', size: 8 * MiB, connections: 4, keys: 16, prefix: 'large-' },
  { operation: 'get', size: 64 * KiB, connections: 16, keys: 512, prefix: 'small-' },
]
const victims = ['dn1', 'dn2', 'dn3']
const settings = ['scm.containerSize=16MiB', 'scm.encodeAfter=1s'].flatMap((each) => ['--set', each])
/** A reader asks a datanode that was away last, for so long. */
const suspectMs = 10_000
const patienceMs = 180_000

interface Reads {
  readonly perSecond: number
  /** Of the gateway and the datanodes. */
  readonly cpuMs: number
}

interface Compared {
  readonly load: Load
  readonly healthy: readonly Reads[]
  readonly degraded: readonly Reads[]
}

/** A table. */
export async function degradedReads({ directory, seconds }: DegradedReadsOptions): Promise<string> {
  const args = ['--replication', 'EC/rs-3-2-1024k', ...settings]
  const server = await clusterOf({ directory, datanodes: 5, args })
  try {
    const target = await targetOf(server)
    for (const load of loads) await fill(target, load)
    await untilEncoded(server.directory)
    const rows: Compared[] = []
    for (const load of loads) rows.push(await compare({ server, target, load, seconds }))
    return table(rows)
  } finally {
    process.kill(server.pid, 'SIGCONT')
    await server.kill()
  }
}

interface Measurement {
  readonly server: Server
  readonly target: LoadTarget
  readonly load: Load
  readonly seconds: number
}

async function compare(measurement: Measurement): Promise<Compared> {
  const healthy: Reads[] = []
  const degraded: Reads[] = []
  // Fresh processes: what they take until they are warm would be counted against the healthy reads.
  await measured(measurement)
  for (const victim of victims) {
    const before = await measured(measurement)
    const after = await withoutDatanode(measurement.server, victim, () => measured(measurement))
    process.stdout.write(
      `${JSON.stringify({ size: measurement.load.size, victim, healthy: before, degraded: after })}\n`,
    )
    healthy.push(before)
    degraded.push(after)
  }
  return { load: measurement.load, healthy, degraded }
}

async function measured({ server, target, load, seconds }: Measurement): Promise<Reads> {
  await runLoad(target, load, `${seconds}s`)
  const before = await cpuMsOf(server.directory)
  const { perSecond, requests, errors } = await runLoad(target, load, `${seconds}s`)
  if (errors > 0) throw new Error(`get of ${load.size}: ${errors} errors`)
  const after = await cpuMsOf(server.directory)
  return { perSecond, cpuMs: (after - before) / requests }
}

async function cpuMsOf(directory: string): Promise<number> {
  const processes = await processesOf(directory)
  const readers = processes.filter(({ role, state }) => state === 'up' && (role === 'gateway' || role === 'datanode'))
  return readers.reduce((sum, { pid }) => sum + usageOf(pid).cpuMs, 0)
}

/**
 * The datanode is dead while `action` runs: killed, and whoever would start it again is stopped. It is in maintenance, so that SCM does not
 * make its shards anew meanwhile.
 */
async function withoutDatanode<T>({ directory, pid }: Server, id: string, action: () => Promise<T>): Promise<T> {
  const nodeIs = async (what: Partial<NodeRow>): Promise<boolean> => {
    const node = (await adminOf<NodeRow>(directory, 'datanode', 'list')).find((each) => each.id === id)
    return Object.entries(what).every(([name, value]) => node?.[name as keyof NodeRow] === value)
  }
  await adminOf(directory, 'datanode', 'maintenance', id, '--for', '1h')
  const victim = (await processesOf(directory)).find((each) => each.id === id)
  if (victim === undefined) throw new Error(`there is no ${id}`)
  process.kill(pid, 'SIGSTOP')
  let answer: T
  try {
    process.kill(victim.pid, 'SIGKILL')
    answer = await action()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await until(`${id} is back`, () => nodeIs({ health: 'HEALTHY' }))
  await adminOf(directory, 'datanode', 'recommission', id)
  await until(`${id} is in service, with all that it had`, async () => {
    const [report] = await adminOf<ContainerReport>(directory, 'container', 'report')
    return (
      report !== undefined && illOf(report) === 0 && report.tasks === 0 && (await nodeIs({ operational: 'IN_SERVICE' }))
    )
  })
  await sleep(suspectMs)
  return answer
}

interface ContainerRow {
  readonly id: number
  readonly state: string
  readonly replication: string
  readonly usedBytes: number
}

/** All that was written: containers that are not full are closed. An encoded one has no bytes, its shards have. */
async function untilEncoded(directory: string): Promise<void> {
  await until('everything is encoded', async () => {
    const containers = await adminOf<ContainerRow>(directory, 'container', 'list')
    const left = containers.filter(({ replication, usedBytes }) => replication.startsWith('EC/') && usedBytes > 0)
    for (const { id, state } of left) {
      if (state === 'OPEN') await adminOf(directory, 'container', 'close', String(id))
    }
    return left.length === 0
  })
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + patienceMs; performance.now() < endMs; await sleep(500)) {
    if (await isSo()) return
  }
  throw new Error(`after ${patienceMs / 1000} s it is not so that ${what}`)
}

function table(rows: readonly Compared[]): string {
  const lines = rows.map(({ load, healthy, degraded }) => {
    const size = load.size >= MiB ? `${load.size / MiB} MiB` : `${load.size / KiB} KiB`
    const [rate, rateWithout] = [healthy, degraded].map((reads) => median(reads.map(({ perSecond }) => perSecond)))
    const [cpu, cpuWithout] = [healthy, degraded].map((reads) => median(reads.map(({ cpuMs }) => cpuMs)))
    const ratio = median(degraded.map(({ perSecond }, round) => perSecond / (healthy[round]?.perSecond ?? NaN)))
    const cells = [rate?.toFixed(1), rateWithout?.toFixed(1), ratio.toFixed(2), cpu?.toFixed(1), cpuWithout?.toFixed(1)]
    return `| get ${size} | ${load.connections} | ${cells.join(' | ')} |`
  })
  return [
    '| operation | conn | healthy ops/s | without one | ratio | healthy CPU ms/op | without one |',
    '|---|---:|---:|---:|---:|---:|---:|',
    ...lines,
    '',
  ].join('\n')
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}
