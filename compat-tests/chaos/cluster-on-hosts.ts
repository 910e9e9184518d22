/** A cluster whose OMs have hosts of their own, each process started by its own command. All others are on one host. */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../harness/command.ts'
import { launcher } from '../harness/server.ts'
import type { CutNetwork } from './cut-network.ts'
import type { RunningCluster } from './scenario.ts'

/** Where everything but the OMs is, and the clients. */
export const restHost = 'rest'
export const omHosts: readonly string[] = ['om1', 'om2', 'om3']

const roles = { scm: 'scm', om: 'om', datanodes: 'datanode', gateways: 'gateway' } as const
const readyMs = 120_000
const stopMs = 30_000
const credentials = { accessKey: 'chaos-access-key', secretKey: 'chaos-secret-key-0123456789abcdef' }

interface Member {
  host: string
  readonly id: string
  readonly s3?: { readonly host: string; readonly port: number }
}

type ClusterFile = Record<keyof typeof roles, readonly Member[]>

interface Process {
  readonly id: string
  readonly child: ChildProcess
  readonly ended: Promise<unknown>
  readonly output: () => string
}

/** Resolves when all are ready. */
export async function startOnHosts(directory: string, network: CutNetwork): Promise<RunningCluster> {
  const shape = ['--om', '3', '--scm', '3', '--datanodes', '1', '--s3-port', '0']
  await run(process.execPath, [launcher, 'cluster', 'init', ...shape, '--data', directory])
  const path = join(directory, 'cluster.json')
  const file = JSON.parse(readFileSync(path, 'utf8')) as ClusterFile
  const members = Object.entries(roles).flatMap(([list, role]) =>
    file[list as keyof typeof roles].map((member) => ({ role, member })),
  )
  for (const { member } of members) member.host = network.addressOf(hostOf(member.id))
  writeFileSync(path, `${JSON.stringify(file, null, 2)}\n`)
  const processes = members.map(({ role, member: { id } }) => start(directory, network, { role, id }))
  const stop = async (): Promise<void> => {
    for (const each of processes.toReversed()) await end(each)
  }
  try {
    await Promise.all(processes.map(untilReady))
  } catch (error) {
    await stop()
    throw error
  }
  const s3 = file.gateways[0]?.s3
  return { endpoint: `http://${s3?.host}:${s3?.port}`, ...credentials, directory, stop }
}

function hostOf(id: string): string {
  return omHosts.includes(id) ? id : restHost
}

function start(
  directory: string,
  network: CutNetwork,
  { role, id }: { readonly role: string; readonly id: string },
): Process {
  const [command = '', ...before] = network.on(hostOf(id))
  const place = [
    '--cluster',
    join(directory, 'cluster.json'),
    '--id',
    id,
    '--data',
    join(directory, id),
    '--supervised',
  ]
  const settings = role === 'om' ? ['--set', 'om.segment=4MiB'] : []
  // Its standard input ends with us, and then so does it.
  const child = spawn(command, [...before, process.execPath, launcher, role, ...place, ...settings], {
    env: { ...process.env, O3_ROOT_ACCESS_KEY: credentials.accessKey, O3_ROOT_SECRET_KEY: credentials.secretKey },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return { id, child, ended: new Promise((resolve) => child.once('close', resolve)), output: () => output }
}

async function untilReady({ id, child, output }: Process): Promise<void> {
  for (const untilMs = performance.now() + readyMs; !output().includes(' ready '); await sleep(50)) {
    if (child.exitCode !== null || performance.now() > untilMs) throw new Error(`${id} does not start:\n${output()}`)
  }
}

async function end({ child, ended }: Process): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await Promise.race([ended, sleep(stopMs)])
  child.kill('SIGKILL')
  await ended
}
