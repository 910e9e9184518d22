/** What the size of containers changes: writing, and how soon a lost datanode is made up for. */

import { join } from 'node:path'
import { processesOf } from '../chaos/processes.ts'
import { MiB, clusterOf, targetOf } from './bench-cluster.ts'
import { loseDatanode } from './datanode-loss.ts'
import { runLoad } from './load-run.ts'
import { usageOf } from './process-usage.ts'

const sizes = ['64MiB', '256MiB', '1GiB', '4GiB'] as const
/** As much is written as the machine takes in this time, and no key twice. */
const writing = { operation: 'put', size: 8 * MiB, connections: 16, keys: 100_000, prefix: 'sized-' } as const
const duration = '40s'

/** The same for each size, in turn, with four datanodes. A table. */
export async function containerSizes(directory: string): Promise<string> {
  const lines: string[] = []
  for (const size of sizes) {
    const line = (await oneSize(directory, size)).join(' | ')
    process.stdout.write(`${line}\n`)
    lines.push(line)
  }
  return [
    '| size | PUT 8 MiB MB/s | p99 ms | lost GB | its containers | first copy s | all copied s | MB/s from the first copy on | CPU of SCM s |',
    '|---|---:|---:|---:|---:|---:|---:|---:|---:|',
    ...lines.map((line) => `| ${line} |`),
    '',
  ].join('\n')
}

async function oneSize(directory: string, size: string): Promise<readonly string[]> {
  const server = await clusterOf({
    directory: join(directory, size),
    datanodes: 4,
    args: ['--set', `scm.containerSize=${size}`],
  })
  try {
    const { errors, mbPerSecond, p99Ms } = await runLoad(await targetOf(server), writing, duration)
    if (errors > 0) throw new Error(`${size}: ${errors} errors`)
    const scm = (await processesOf(server.directory)).find(({ role }) => role === 'scm')
    const { gigabytes, containers, firstCopyS, copiedS } = await loseDatanode(server)
    const cpuS = scm === undefined ? 0 : usageOf(scm.pid).cpuMs / 1000
    const copyRate = (gigabytes * 1000) / Math.max(1, copiedS - firstCopyS)
    const figures = [gigabytes.toFixed(1), containers, firstCopyS.toFixed(1), copiedS.toFixed(1), copyRate.toFixed(0)]
    return [size, mbPerSecond.toFixed(0), p99Ms.toFixed(0), ...figures.map(String), cpuS.toFixed(1)]
  } finally {
    await server.kill()
  }
}
