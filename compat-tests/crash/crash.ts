/**
 * `npm run crash [rounds]`: kills the real process under load, at random times and at named places, and after every
 * restart reads back everything that was ever acknowledged. 0 lost, 0 wrong, or it fails.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { startServer } from '../harness/server.ts'
import type { Server } from '../harness/server.ts'
import { connect, crashBucket, verify, worker } from './load.ts'
import { Oracle } from './oracle.ts'
import { crashOrders } from './sites.ts'
import type { CrashOrder } from './sites.ts'

const rounds = Number(process.argv[2] ?? 110)
const workers = 6
/** A site that was not reached by then: the round is a kill at a random time after all. */
const siteDeadlineMs = 3_000

// Small files and short intervals, so that what is rare in life happens in every round.
const settings = {
  'om.segment': '1MiB',
  'om.checkpoint': '1MiB',
  'om.deletionDelay': '200ms',
  'scm.containerSize': '16MiB',
  'hdds.compactInterval': '200ms',
}

const root = mkdtempSync(join(tmpdir(), 'o3-crash-'))
const oracle = new Oracle()
const reached = new Set<string>()
const orders = crashOrders()
let restartMs = 0
let kills = 0

function start(order?: CrashOrder): Promise<Server> {
  const args = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  const env = order === undefined ? {} : { O3_CRASH_AT: `${order.site}:${order.pass}` }
  return startServer({ directory: join(root, 'data'), args: [...args, '--admin-port', '0'], env })
}

/** One life of the server: load until it is dead. */
async function live(order: CrashOrder | undefined): Promise<void> {
  let server: Server
  try {
    server = await start(order)
  } catch (error) {
    // Killed while it started: that is a round too, if the order says so.
    if (order === undefined || !String(error).includes('SIGKILL')) throw error
    reached.add(order.site)
    return
  }
  const client = connect(server)
  let dead = false
  void server.ended.then(() => (dead = true))
  const load = Array.from({ length: workers }, (_, id) => worker(client, oracle, id, () => dead))
  const deadline = order === undefined ? 100 + Math.random() * 900 : siteDeadlineMs
  await Promise.race([server.ended, sleep(deadline)])
  if (order !== undefined && dead) reached.add(order.site)
  await server.kill()
  await Promise.all(load)
  client.destroy()
}

async function check(): Promise<void> {
  const started = performance.now()
  const server = await start()
  restartMs = Math.max(restartMs, performance.now() - started)
  const client = connect(server)
  await verify(client, oracle)
  client.destroy()
  // Verification is a life of its own, and ends like the others.
  await server.kill()
}

try {
  const first = await start()
  const client = connect(first)
  await client.send(new CreateBucketCommand({ Bucket: crashBucket }))
  client.destroy()
  await first.kill()
  for (let round = 0; round < rounds; round++) {
    await live(orders[round])
    kills += 1
    await check()
    kills += 1
    if (oracle.findings.length > 0) break
    if (round % 10 === 9) process.stdout.write(`${round + 1} rounds, ${oracle.acknowledged} acknowledged\n`)
  }
  const missed = orders.slice(0, rounds).filter(({ site }) => !reached.has(site))
  process.stdout.write(
    `${kills} kills, ${oracle.acknowledged} acknowledged writes, ${oracle.findings.length} lost or wrong\n`,
  )
  process.stdout.write(
    `${reached.size} named places reached; not reached: ${missed.map(({ site }) => site).join(', ') || 'none'}\n`,
  )
  process.stdout.write(`slowest restart ${(restartMs / 1000).toFixed(1)} s\n`)
  for (const { key, problem } of oracle.findings) process.stdout.write(`FAIL  ${key}: ${problem}\n`)
  process.stdout.write(`${kills - oracle.findings.length} passed, ${oracle.findings.length} failed\n`)
  if (oracle.findings.length > 0) process.exitCode = 1
} finally {
  if (process.exitCode === 1) process.stdout.write(`the data directory is kept: ${root}\n`)
  else rmSync(root, { recursive: true, force: true })
}
