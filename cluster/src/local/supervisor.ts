/**
 * A cluster on one machine: a process for each member, children of this one. They come up side by side, because each
 * waits for those it needs; they go down in order, gateways first, so that nothing that was accepted is cut.
 */

import { resolve } from 'node:path'
import { fieldsOf } from '@o3/common/config'
import type { ConfigEntry, ConfigSchema } from '@o3/common/config'
import type { Env } from '@o3/common/env'
import { assert, isStoreError } from '@o3/common/errors'
import { credentialsPath, keepConfigured, settleCredentials } from '../administrator.ts'
import type { BannerFacts } from '../banner.ts'
import { membersOf, roles } from '../cluster-file/cluster-file.ts'
import type { GatewayMember, Role } from '../cluster-file/cluster-file.ts'
import { clusterFileIn, readCluster } from '../cluster-file/read-cluster.ts'
import type { ClusterAtHome } from '../cluster-file/read-cluster.ts'
import { writeEndpoints } from '../endpoints.ts'
import type { Endpoints } from '../endpoints.ts'
import { adminWire } from '../pki/administration.ts'
import type { NodeConfig } from '../node-config.ts'
import { logFileOf, startProcess } from '../process/running-process.ts'
import type { ClaimedDirectory, ProcessParts, RunningProcess } from '../process/running-process.ts'
import { gatewayConfigSchema } from '../roles/gateway-config.ts'
import { datanodeConfigSchema, omConfigSchema, scmConfigSchema } from '../roles/role-config.ts'
import { describeEndpoint } from '../roles/endpoint.ts'
import { Child } from './child.ts'
import { serveControl } from './control.ts'
import { certify, claimHome, layOut } from './layout.ts'
import type { LayoutOptions } from './layout.ts'
import { checkShape } from './shape.ts'
import type { WantedShape } from './shape.ts'

export interface LocalClusterOptions {
  readonly directory: string
  readonly config: NodeConfig
  /** Where the values of `config` came from: what somebody set goes on to the processes it is for. */
  readonly entries: readonly ConfigEntry[]
  /** For a directory that has no cluster yet. */
  readonly layout: LayoutOptions
  /** What the command line asks for, and must agree with a cluster that exists. */
  readonly wanted: WantedShape
  /** Starts the `o3` command in another process: its program and the arguments before the command's own. */
  readonly launch: { readonly command: string; readonly args: readonly string[] }
  /** Of the children; variables of O3 are taken out, because the settings go as arguments. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** A line for the person at the terminal. */
  readonly say: (line: string) => void
}

export interface LocalCluster extends RunningProcess<BannerFacts> {
  /** Settles when `o3 cluster stop` asks for an end. */
  readonly asked: Promise<string>
}

const schemas: Readonly<Record<Role, ConfigSchema>> = {
  om: omConfigSchema,
  scm: scmConfigSchema,
  datanode: datanodeConfigSchema,
  gateway: gatewayConfigSchema,
}

/** A child stops its parts one after the other, each within the deadline; most take no time. */
const childGraceMs = 5_000
/** For the children of a supervisor that was killed, which stop by themselves. */
const orphansDeadlineMs = 20_000

/**
 * Makes the cluster when the directory is empty and starts it; resolves when all processes are ready. `Busy` when it runs
 * already, `InvalidArgument` when its shape is another, `Unavailable` with the reason when a process does not start;
 * what had started is stopped then.
 */
export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const { promise: asked, resolve: ask } = Promise.withResolvers<string>()
  const { log, stop } = options.config
  const stopDeadlineMs = stop.deadline + childGraceMs
  const running = await startProcess(
    { log, stop: { deadline: stopDeadlineMs + 2_000 }, claim: (env) => claim(env, options) },
    (parts, home) => new Supervisor({ ...options, parts, home, stopDeadlineMs, ask }).run(),
  )
  return { ...running, asked }
}

async function claim(env: Env, { directory, layout, wanted, say }: LocalClusterOptions): Promise<ClaimedDirectory> {
  const home = await claimHome(env, directory)
  try {
    if (!home.laidOut) {
      await layOut(env, directory, layout)
      say(`made a cluster in ${directory}`)
    }
    await certify(env, directory)
    const cluster = await readCluster(env, clusterFileIn(directory))
    checkShape(cluster, wanted, clusterFileIn(directory))
    return home
  } catch (error) {
    await home.release()
    throw error
  }
}

interface SupervisorOptions extends LocalClusterOptions {
  readonly parts: ProcessParts
  readonly home: ClaimedDirectory
  readonly stopDeadlineMs: number
  readonly ask: (reason: string) => void
}

class Supervisor {
  private readonly options: SupervisorOptions
  private readonly children: Child[] = []

  constructor(options: SupervisorOptions) {
    this.options = options
  }

  async run(): Promise<BannerFacts> {
    const { parts, home, config, ask } = this.options
    const { env, lifecycle, log } = parts
    const cluster = await readCluster(env, clusterFileIn(home.path))
    const credentials = await settleCredentials(env, home.path, config.root)
    await this.awaitOrphans(cluster)
    const control = await serveControl(
      { env, directory: home.path, wire: await adminWire(env, cluster) },
      {
        children: () =>
          this.children.map(({ id, pid, state }) => ({ id, state, ...(pid === undefined ? {} : { pid }) })),
        stop: () => ask('o3 cluster stop'),
      },
      log.child({ service: 'control' }),
    )
    await lifecycle.start('control', { start: () => {}, stop: () => control.close() })
    for (const role of roles) await this.startRole(cluster, role)
    await this.untilReady()
    await keepConfigured(env, home.path, credentials)
    const [first, ...others] = cluster.gateways.map(endpointsOf)
    assert(first !== undefined, 'a cluster has a gateway')
    await writeEndpoints(env, home.path, first)
    const logFile = logFileOf(home.path, config.log)
    return {
      endpoint: first.s3,
      otherEndpoints: others.map(({ s3 }) => s3),
      native: first.native,
      admin: first.admin,
      directory: home.path,
      shellFlags: home.path === resolve('o3-data') ? '' : ` --data ${home.path}`,
      region: config.s3.region,
      credentials,
      credentialsFile: credentialsPath(home.path),
      logFile: logFile === '-' ? 'standard error' : logFile,
    }
  }

  private async startRole(cluster: ClusterAtHome, role: Role): Promise<void> {
    const children = membersOf(cluster, role).map(({ id }) => this.child(role, id))
    this.children.push(...children)
    await this.options.parts.lifecycle.start(role, {
      start: () => {
        for (const child of children) child.start()
      },
      stop: async () => {
        await Promise.all(children.map((child) => child.stop()))
      },
    })
  }

  private child(role: Role, id: string): Child {
    const { parts, home, launch, stopDeadlineMs, say } = this.options
    const place = ['--cluster', clusterFileIn(home.path), '--id', id, '--data', this.directoryOf(id), '--supervised']
    return new Child({
      role,
      id,
      command: launch.command,
      args: [...launch.args, role, ...place, ...this.settingsFor(role)],
      env: this.environmentOf(role),
      stopDeadlineMs,
      clock: parts.env.clock,
      log: parts.log,
      say,
      isWanted: () => this.isMember(role, id),
    })
  }

  /** While the file cannot be read, its processes are started, and say why not. */
  private async isMember(role: Role, id: string): Promise<boolean> {
    const { parts, home } = this.options
    try {
      const cluster = await readCluster(parts.env, clusterFileIn(home.path))
      return membersOf(cluster, role).some((member) => member.id === id)
    } catch (error) {
      if (!isStoreError(error)) throw error
      parts.log.warn({ error }, 'the cluster file cannot be read')
      return true
    }
  }

  private directoryOf(id: string): string {
    return `${this.options.home.path}/${id}`
  }

  /** What somebody set and this role reads. Secrets go by the environment; places are the cluster file's. */
  private settingsFor(role: Role): readonly string[] {
    const known = new Set(fieldsOf(schemas[role]).map(({ key }) => key))
    return this.options.entries
      .filter(({ field, origin }) => origin.kind !== 'default' && known.has(field.key) && !isOurs(field.key))
      .flatMap(({ field, value }) => ['--set', `${field.key}=${field.setting.show(value)}`])
  }

  private environmentOf(role: Role): Readonly<Record<string, string | undefined>> {
    const { env, config } = this.options
    const others = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('O3_')))
    if (role !== 'gateway') return others
    const { accessKey, secretKey } = config.root
    return { ...others, O3_ROOT_ACCESS_KEY: accessKey?.reveal(), O3_ROOT_SECRET_KEY: secretKey?.reveal() }
  }

  /** Says each as it comes. The first that fails ends the start. */
  private async untilReady(): Promise<void> {
    const { clock } = this.options.parts.env
    const sinceMs = clock.monotonicMs()
    const { say } = this.options
    await Promise.all(
      this.children.map(async (child) => {
        await child.ready
        say(`${child.id} is ready (pid ${child.pid}, ${((clock.monotonicMs() - sinceMs) / 1000).toFixed(1)} s)`)
      }),
    )
  }

  /** A supervisor that was killed leaves children that are just about to notice. */
  private async awaitOrphans(cluster: ClusterAtHome): Promise<void> {
    const { env } = this.options.parts
    const untilMs = env.clock.monotonicMs() + orphansDeadlineMs
    for (const id of roles.flatMap((role) => membersOf(cluster, role).map((member) => member.id))) {
      const directory = this.directoryOf(id)
      if ((await env.disk.stat(directory)) === undefined) continue
      while (!(await isFree(env, directory))) {
        if (env.clock.monotonicMs() > untilMs) break
        await env.clock.sleep(50)
      }
    }
  }
}

/** A log of each process is in its directory. */
function isOurs(key: string): boolean {
  return key.startsWith('root.') || key === 'log.file'
}

async function isFree(env: Env, directory: string): Promise<boolean> {
  try {
    const lock = await env.disk.lock(`${directory}/lock`)
    await lock.release()
    return true
  } catch (error) {
    if (isStoreError(error, 'Busy')) return false
    throw error
  }
}

function endpointsOf({ s3, native, admin }: GatewayMember): Endpoints {
  return {
    s3: `http://${describeEndpoint(s3)}`,
    native: `o3://${describeEndpoint(native)}`,
    admin: `http://${describeEndpoint(admin)}`,
  }
}
