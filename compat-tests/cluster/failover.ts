/**
 * `npm run failover [-- --seconds 120 --how kill|pause|rolling --of om|scm]`: a cluster with OM and SCM in threes, under load.
 * Every five seconds the leader of OM (or SCM) is killed, or stopped for three; or each process of the two groups is
 * restarted in turn. No request may fail, and everything is read back. It says how long after each loss the next write was
 * acknowledged.
 */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { must, put } from '../harness/requests.ts'
import { startServer } from '../harness/server.ts'
import { Load } from './load.ts'
import { isUp, leaderOf, processesOf } from './processes.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    how: { type: 'string', default: 'kill' },
    /** Whose leader is killed. */
    of: { type: 'string', default: 'om' },
    workers: { type: 'string', default: '8' },
    every: { type: 'string', default: '5' },
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
  },
})
const everyMs = Number(values.every) * 1000
/** Longer than an election, shorter than it takes until somebody else is to be lost. */
const pauseMs = 3_000
/** A process that was stopped is back by then. */
const backMs = 30_000

const root = mkdtempSync(join(tmpdir(), 'o3-failover-'))
const directory = join(root, 'cluster')
const startMs = performance.now()
const server = await startServer({
  directory,
  command: ['cluster', 'start', '--om', '3', '--scm', '3', '--datanodes', '1', '--s3-port', '0'],
  args: ['--set', 'om.segment=4MiB'],
})
process.stdout.write(`seed ${values.seed}; ready after ${seconds(performance.now() - startMs)}\n`)
const load = new Load(server, { bucket: 'failover', seed: values.seed })
/** When a leader was lost. */
const losses: number[] = []

try {
  await must(put(server, '/failover', ''))
  load.start(Number(values.workers))
  const endMs = performance.now() + Number(values.seconds) * 1000
  if (values.how === 'rolling') await rolling(endMs)
  else if (values.how === 'pause') await lose(endMs, pause)
  else await lose(endMs, kill)
  await load.stop()
  const wrong = await load.readBack()
  report(wrong)
} finally {
  await server.stop()
  if (process.exitCode === 1) process.stdout.write(`the cluster's directory is kept: ${root}\n`)
  else rmSync(root, { recursive: true, force: true })
}

async function lose(endMs: number, how: (pid: number) => void): Promise<void> {
  while (performance.now() + everyMs < endMs) {
    await sleep(everyMs)
    const { id, pid } = await leaderOf(directory, values.of)
    losses.push(performance.now())
    how(pid)
    process.stdout.write(`lost ${id}\n`)
  }
  await sleep(everyMs)
}

function kill(pid: number): void {
  process.kill(pid, 'SIGKILL')
}

/** It wakes up in the belief that it leads. */
function pause(pid: number): void {
  process.kill(pid, 'SIGSTOP')
  setTimeout(() => process.kill(pid, 'SIGCONT'), pauseMs)
}

/** Again and again, one after the other: the next one goes when the one before is back. */
async function rolling(endMs: number): Promise<void> {
  do {
    for (const { id, pid } of (await processesOf(directory)).filter(({ role }) => role === 'om' || role === 'scm')) {
      losses.push(performance.now())
      process.kill(pid, 'SIGTERM')
      await isUp(directory, { id, not: pid }, backMs)
      process.stdout.write(`restarted ${id} in ${seconds(performance.now() - (losses.at(-1) ?? 0))}\n`)
    }
  } while (performance.now() < endMs)
}

function report(wrong: readonly string[]): void {
  const { requests, failures, slowestMs } = load
  const gaps = losses.map((lostMs) => load.gapAfter(lostMs)).toSorted((a, b) => a - b)
  const at = (fraction: number): string => seconds(gaps[Math.floor(gaps.length * fraction)] ?? gaps.at(-1) ?? 0)
  process.stdout.write(
    `${requests} requests, ${failures.length} failed, ${wrong.length} wrong; slowest ${seconds(slowestMs)}\n`,
  )
  process.stdout.write(`${gaps.length} losses; next write after: p50 ${at(0.5)}, p99 ${at(0.99)}\n`)
  for (const each of [...failures, ...wrong].slice(0, 20)) process.stdout.write(`FAIL  ${each}\n`)
  if (failures.length + wrong.length > 0) process.exitCode = 1
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}
