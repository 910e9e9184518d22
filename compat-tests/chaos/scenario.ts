/** What every scenario has in common: a cluster in threes with its clients before it, and the verdict behind it. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { startServer } from '../harness/server.ts'
import { Contents } from './contents.ts'
import { Dice } from './dice.ts'
import { FaultyCluster } from './faulty-cluster.ts'
import { judge, proveJudge } from './judge.ts'
import { Ledger, percentiles, seconds } from './ledger.ts'
import { patientClient } from './patient-client.ts'
import { RecordedKeys } from './recorded-keys.ts'
import { Workload } from './workload.ts'

export interface ScenarioOptions {
  readonly name: string
  readonly seed: string
  readonly workers: number
  /** Default: `o3 cluster start`. */
  readonly start?: (directory: string) => Promise<RunningCluster>
  /** Of what is written, in turn. Default: `usualSizes`. */
  readonly sizes?: readonly number[]
  /** Before everything is read back: waits until the cluster has recovered. */
  readonly settled?: (say: (line: string) => void) => Promise<void>
}

export interface RunningCluster {
  readonly endpoint: string
  readonly accessKey: string
  readonly secretKey: string
  /** With the cluster file. */
  readonly directory: string
  stop(): Promise<unknown>
}

export interface Stage {
  readonly server: RunningCluster
  readonly cluster: FaultyCluster
  readonly ledger: Ledger
  readonly dice: Dice
  /** A leader was lost or cut off now: the time until the next write is measured. */
  readonly lost: () => void
  readonly say: (line: string) => void
}

const bucket = 'chaos'
/** After the last fault. */
const wholeWithinMs = 30_000

function startSupervised(directory: string): Promise<RunningCluster> {
  const shape = ['--om', '3', '--scm', '3', '--datanodes', '1', '--s3-port', '0']
  const args = ['--set', 'om.segment=4MiB']
  return startServer({ directory, command: ['cluster', 'start', ...shape], args, readyMs: 300_000 })
}

/** Prints all of it, with a line "N passed, N failed": each fault that nothing came of has passed. */
export async function runScenario(options: ScenarioOptions, faults: (stage: Stage) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), `o3-chaos-${options.name}-`))
  const directory = join(root, 'cluster')
  const ledger = new Ledger()
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const beganMs = performance.now()
  const server = await (options.start ?? startSupervised)(directory).catch((error: unknown) => {
    say(`FAIL  ${options.name}: seed ${options.seed}; no cluster in ${root}: ${String(error)}`)
    say('0 passed, 1 failed')
    process.exitCode = 1
  })
  if (server === undefined) return
  say(`${options.name}: seed ${options.seed}; ready after ${seconds(performance.now() - beganMs)}`)
  const cluster = new FaultyCluster(directory, ledger)
  const stopOnSignal = (): void => {
    cluster.heal()
    void server.stop().then(() => process.exit(130))
  }
  process.once('SIGINT', stopOnSignal).once('SIGTERM', stopOnSignal)
  try {
    await play({ options, faults, server, cluster, ledger, say })
  } catch (error) {
    ledger.find('failures', error instanceof Error ? (error.stack ?? error.message) : String(error))
  } finally {
    cluster.heal()
    await server.stop()
    process.off('SIGINT', stopOnSignal).off('SIGTERM', stopOnSignal)
  }
  report(ledger, say)
  if (process.exitCode === 1) say(`the cluster's directory is kept: ${root}`)
  else rmSync(root, { recursive: true, force: true })
}

interface Play extends Pick<Stage, 'server' | 'cluster' | 'ledger' | 'say'> {
  readonly options: ScenarioOptions
  readonly faults: (stage: Stage) => Promise<void>
}

async function play({ options, faults, server, cluster, ledger, say }: Play): Promise<void> {
  const client = patientClient(server, options.workers + 4)
  const dice = new Dice(options.seed)
  const contents = new Contents(dice.below(1_000_000) * 1000, options.sizes)
  const keys = new RecordedKeys({ client, bucket, contents, ledger })
  const workload = new Workload({ keys, contents, dice: new Dice(`${options.seed} clients`) })
  const losses: number[] = []
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
    workload.start(options.workers)
    try {
      await faults({ server, cluster, ledger, dice, say, lost: () => losses.push(performance.now()) })
    } finally {
      cluster.heal()
      await workload.stop()
    }
    const gaps = losses.map((lostMs) => keys.gapAfter(lostMs))
    if (gaps.length > 0) say(`${gaps.length} leaders lost; next write after: ${percentiles(gaps)}`)
    say(`whole again ${seconds(await cluster.whole(wholeWithinMs))} after the last fault`)
    await options.settled?.(say)
    const found = await workload.readBack()
    await compareListing(keys, found, ledger)
    const { operations } = keys.history
    const judged = judge(operations, ledger)
    say(`${found.size} keys read back; ${operations.length} operations on ${judged} keys have an order each`)
    proveJudge(operations)
    say('ok    a lost write and a stale read are found when they are put into this history')
  } finally {
    client.destroy()
  }
}

/** Nothing happens any more: the listing is exactly what was found. */
async function compareListing(
  keys: RecordedKeys,
  found: Awaited<ReturnType<Workload['readBack']>>,
  ledger: Ledger,
): Promise<void> {
  const listed = await keys.listAll()
  for (const [key, told] of found) {
    if (typeof told !== 'object') continue
    const inListing = listed.get(key) ?? null
    if (inListing !== told.etag) ledger.find('wrong', `${key}: ${told.etag} is there, and ${inListing} is listed`)
  }
  for (const key of listed.keys()) if (!found.has(key)) ledger.find('wrong', `${key}: is listed and was never written`)
}

function report(ledger: Ledger, say: (line: string) => void): void {
  for (const finding of ledger.findings.slice(0, 20)) say(`FAIL  ${finding}`)
  const faults =
    ledger.of('kills') +
    ledger.of('restarts') +
    ledger.of('stops') +
    ledger.of('cuts') +
    ledger.of('flips') +
    ledger.of('disks')
  const failed = ledger.findings.length
  for (const slow of ledger.slow.slice(0, 10)) say(`slow  ${slow}`)
  say(`ledger: ${ledger.line()}`)
  say(`${Math.max(0, faults - failed)} passed, ${failed} failed`)
  if (failed > 0) process.exitCode = 1
}
