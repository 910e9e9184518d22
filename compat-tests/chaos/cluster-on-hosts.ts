/**
 * A cluster some of whose processes have hosts of their own, each process started by its own command; all others, and the
 * clients, are on one host. Processes that end are started again when that is asked for, as a supervisor would.
 */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../harness/command.ts'
import { launcher } from '../harness/server.ts'
import type { CutNetwork } from './cut-network.ts'
import type { RunningCluster } from './scenario.ts'

/** Where everything is that has no host of its own, and the clients. */
export const restHost = 'rest'

const roles = { scm: 'scm', om: 'om', datanodes: 'datanode', gateways: 'gateway' } as const
/** Nothing is promised of a start: a dozen processes, on a machine that has other things to do. */
const readyMs = 300_000
const stopMs = 30_000
/** Twice as long each time, for one that does not stay up. */
const restartAfterMs = { least: 500, most: 10_000 }
const staysUpMs = 10_000
const credentials = { accessKey: 'chaos-access-key', secretKey: 'chaos-secret-key-0123456789abcdef' }

interface Member {
  host: string
  readonly id: string
  disks?: readonly string[]
  readonly s3?: { readonly host: string; readonly port: number }
}

type ClusterFile = Record<keyof typeof roles, readonly Member[]>
type Role = (typeof roles)[keyof typeof roles]

export interface HostedOptions {
  readonly network: CutNetwork
  /** Of `o3 cluster init`. */
  readonly shape: readonly string[]
  /** Ids of the members that have a host, of their name, each. */
  readonly hosts: readonly string[]
  /** `--set name=value` for each process of a role. */
  readonly settings?: Readonly<Partial<Record<Role, readonly string[]>>>
  /** Disks of datanodes that have others than the one in their directory. */
  readonly disks?: Readonly<Record<string, readonly string[]>>
  /** Whether who ends is started again. */
  readonly restarts: boolean
}

/** Resolves when all are ready. */
export async function startOnHosts(directory: string, options: HostedOptions): Promise<RunningCluster> {
  const { shape, network, hosts, disks = {} } = options
  await run(process.execPath, [launcher, 'cluster', 'init', ...shape, '--s3-port', '0', '--data', directory])
  const path = join(directory, 'cluster.json')
  const file = JSON.parse(readFileSync(path, 'utf8')) as ClusterFile
  const members = Object.entries(roles).flatMap(([list, role]) =>
    file[list as keyof typeof roles].map((member) => ({ role, member })),
  )
  const hostOf = (id: string): string => (hosts.includes(id) ? id : restHost)
  for (const { member } of members) {
    member.host = network.addressOf(hostOf(member.id))
    const own = disks[member.id]
    if (own !== undefined) member.disks = own
  }
  writeFileSync(path, `${JSON.stringify(file, null, 2)}\n`)
  const processes = members.map(({ role, member: { id } }) => {
    const settings = (options.settings?.[role] ?? []).flatMap((setting) => ['--set', setting])
    const place = ['--cluster', path, '--id', id, '--data', join(directory, id), '--supervised']
    const [command = '', ...before] = network.on(hostOf(id))
    return new HostedProcess(id, [command, ...before, process.execPath, launcher, role, ...place, ...settings])
  })
  const stop = async (): Promise<void> => {
    // Whoever is to be started again is told first that it is over.
    for (const each of processes) each.restarts = false
    for (const each of processes.toReversed()) await each.end()
  }
  try {
    await Promise.all(processes.map((each) => each.untilReady()))
  } catch (error) {
    await stop()
    throw error
  }
  for (const each of processes) each.restarts = options.restarts
  const s3 = file.gateways[0]?.s3
  return { endpoint: `http://${s3?.host}:${s3?.port}`, ...credentials, directory, stop }
}

class HostedProcess {
  readonly id: string
  restarts = false
  private readonly line: readonly string[]
  private child: ChildProcess
  private ended: Promise<unknown>
  private output = ''
  private startedMs = 0
  private pauseMs = restartAfterMs.least

  constructor(id: string, line: readonly string[]) {
    this.id = id
    this.line = line
    this.child = this.start()
    this.ended = this.watch()
  }

  async untilReady(): Promise<void> {
    for (const untilMs = performance.now() + readyMs; !this.output.includes(' ready '); await sleep(50)) {
      const isLate = performance.now() > untilMs
      if (this.child.exitCode === null && !isLate) continue
      const how = isLate ? `is not ready after ${readyMs / 1000} s` : `ended with ${this.child.exitCode}`
      throw new Error(`${this.id} ${how}:\n${this.output}`)
    }
  }

  async end(): Promise<void> {
    const { child } = this
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await Promise.race([this.ended, sleep(stopMs)])
    child.kill('SIGKILL')
    await this.ended
  }

  private start(): ChildProcess {
    const [command = '', ...args] = this.line
    this.startedMs = performance.now()
    // Its standard input ends with us, and then so does it.
    const child = spawn(command, args, {
      env: { ...process.env, O3_ROOT_ACCESS_KEY: credentials.accessKey, O3_ROOT_SECRET_KEY: credentials.secretKey },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const keep = (chunk: Buffer): void => {
      this.output = `${this.output}${chunk.toString()}`.slice(-10_000)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    return child
  }

  private watch(): Promise<unknown> {
    return new Promise((resolve) => {
      this.child.once('close', (...how) => {
        resolve(how)
        const { least, most } = restartAfterMs
        const isStable = performance.now() - this.startedMs > staysUpMs
        this.pauseMs = isStable ? least : Math.min(most, 2 * this.pauseMs)
        if (this.restarts) setTimeout(() => this.startAgain(), this.pauseMs)
      })
    })
  }

  private startAgain(): void {
    if (!this.restarts) return
    this.child = this.start()
    this.ended = this.watch()
  }
}
