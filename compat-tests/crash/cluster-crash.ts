/**
 * `npm run crash:cluster [kills]`: kills the processes of a cluster under load, one at a time and whichever it is; now and then
 * reads back everything that was ever acknowledged. Nothing is started by hand: what dies must come back by itself.
 * 0 lost, 0 wrong, or it fails.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { run } from '../harness/command.ts'
import { launcher, startServer } from '../harness/server.ts'
import type { Server } from '../harness/server.ts'
import { connect, crashBucket, verify, worker } from './load.ts'
import { Oracle } from './oracle.ts'

const kills = Number(process.argv[2] ?? 40)
const workers = 4
const killsBetweenChecks = 5
/** For a process that was killed to serve again. */
const backDeadlineMs = 30_000

// Small files and short intervals, so that what is rare in life happens in every run.
const settings = {
  'om.segment': '1MiB',
  'om.checkpoint': '1MiB',
  'om.deletionDelay': '200ms',
  'scm.containerSize': '16MiB',
  'hdds.compactInterval': '200ms',
}

interface Process {
  readonly id: string
  readonly state: string
  readonly pid?: number
}

const directory = join(mkdtempSync(join(tmpdir(), 'o3-cluster-crash-')), 'data')
const oracle = new Oracle()
const killed = new Map<string, number>()
let slowestMs = 0

async function processes(): Promise<readonly Process[]> {
  const out = await run(process.execPath, [launcher, 'cluster', 'status', '--data', directory, '--json'])
  return out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Process)
}

/** Any that is up; resolves when it is up again, as another process. */
async function killOne(): Promise<void> {
  const up = (await processes()).filter(({ state }) => state === 'up')
  const victim = up[Math.floor(Math.random() * up.length)]
  if (victim?.pid === undefined) throw new Error('no process of the cluster is up')
  process.kill(victim.pid, 'SIGKILL')
  killed.set(victim.id, (killed.get(victim.id) ?? 0) + 1)
  const since = performance.now()
  for (;;) {
    const now = (await processes()).find(({ id }) => id === victim.id)
    if (now?.state === 'up' && now.pid !== victim.pid) break
    if (performance.now() - since > backDeadlineMs)
      throw new Error(`${victim.id} is not back after ${backDeadlineMs} ms`)
  }
  slowestMs = Math.max(slowestMs, performance.now() - since)
}

async function loadDuring(server: Server, action: () => Promise<void>): Promise<void> {
  let over = false
  const client = connect(server)
  const loop = async (id: number): Promise<void> => {
    while (!over) {
      // It ends at the first answer that does not say what was done; the service is back soon.
      await worker(client, oracle, id, () => over)
      await sleep(20)
    }
  }
  const load = Array.from({ length: workers }, (_, id) => loop(id))
  try {
    await action()
  } finally {
    over = true
    await Promise.all(load)
    client.destroy()
  }
}

const server = await startServer({
  directory,
  processes: 'one-per-role',
  args: Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
})
try {
  const patient = connect(server, { attempts: 10 })
  await patient.send(new CreateBucketCommand({ Bucket: crashBucket }))
  for (let done = 0; done < kills && oracle.findings.length === 0;) {
    await loadDuring(server, async () => {
      for (let left = killsBetweenChecks; left > 0 && done < kills; left--, done++) {
        await sleep(Math.random() * 1_000)
        await killOne()
      }
    })
    await verify(patient, oracle)
    process.stdout.write(`${done} kills, ${oracle.acknowledged} acknowledged\n`)
  }
  patient.destroy()
} finally {
  await server.stop()
}
const each = [...killed].map(([id, count]) => `${id} ${count}`).join(', ')
process.stdout.write(`killed: ${each}; slowest back after ${(slowestMs / 1000).toFixed(1)} s\n`)
for (const { key, problem } of oracle.findings) process.stdout.write(`FAIL  ${key}: ${problem}\n`)
process.stdout.write(`${oracle.acknowledged} acknowledged writes, ${oracle.findings.length} lost or wrong\n`)
if (oracle.findings.length > 0) {
  process.exitCode = 1
  process.stdout.write(`the data directory is kept: ${directory}\n`)
} else rmSync(join(directory, '..'), { recursive: true, force: true })
