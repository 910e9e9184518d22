import { Graph } from '@o3/common/di'
import type { Env } from '@o3/common/env'
import type { SimNode, SimProcess } from '@o3/common/env/sim'
import type { Logger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import { RpcServer, trustedClient, trustedServer, type GroupClient } from '@o3/common/rpc'
import { DatanodeDirectory, WasmErasureCode } from '@o3/hdds/client'
import {
  HDDS_CONFIG,
  HDDS_DATANODE,
  HDDS_ENV,
  HDDS_LOG,
  HDDS_RECONCILERS,
  HDDS_SCM,
  HDDS_SERVED,
  HDDS_VOUCHING,
  ShardParents,
  copyTokens,
  installHdds,
  openDatanode,
  type HddsConfig,
  type LocalDatanode,
  type ScmMember,
} from '@o3/hdds/module'
import { datanodeRpcLimits, serveDatanode, type TokenCheck } from '@o3/hdds/rpc'
import { RpcTransport, raftMethods, type RaftTransport } from '@o3/ratis/node'
import { RemoteScm } from '@o3/scm/client'
import type { Vouching } from '@o3/scm/tokens'
import { countingTasks } from '../counted-tasks.ts'
import { groupClient } from '../services.ts'

const port = 9_861
/** By then what was made anew of a disk that has returned is whole, in all likelihood. */
const leftOutMs = 10_000

/** What is planted into a datanode to see whether anybody notices. */
export interface DatanodePlants {
  readonly env?: (env: Env) => Env
  readonly transport?: (transport: RaftTransport) => RaftTransport
  /** Between it and each member of SCM. */
  readonly scm?: (scm: ScmMember['scm'], datanode: string) => ScmMember['scm']
  /** What others call, before it is signed for. */
  readonly datanode?: (datanode: LocalDatanode) => LocalDatanode
}

export interface DatanodeMachineOptions {
  readonly node: SimNode
  readonly rack: string
  readonly disks: readonly string[]
  readonly config: HddsConfig
  readonly scmIds: readonly string[]
  readonly log: Logger
  readonly plants?: DatanodePlants
}

/** What runs on a machine now. */
export interface DatanodeLife {
  readonly process: SimProcess
  readonly openedMs: number
  readonly datanode: LocalDatanode
  readonly running: ReadonlySet<string>
  close(): Promise<void>
}

/** A datanode as a cluster has it: a machine, and on it now and then a process of production code, from the disks to the RPC server. */
export class DatanodeMachine {
  readonly id: string
  readonly node: SimNode
  readonly rack: string
  /** Of its directories. */
  readonly disks: readonly string[]
  /** Nobody starts it meanwhile. */
  isAway = false
  /** Its disk refuses on purpose: a start that comes to nothing proves nothing. */
  isBad = false
  private readonly options: DatanodeMachineOptions
  private current: DatanodeLife | undefined
  /** Directories that are not there now, and those that were not at an earlier start. */
  private readonly pulled = new Set<string>()
  private leftOut: readonly string[] = []
  /** Of each directory: how many disks that were there are lost. */
  private readonly losses = new Map<string, number>()

  constructor(options: DatanodeMachineOptions) {
    this.options = options
    this.node = options.node
    this.id = options.node.name
    this.rack = options.rack
    this.disks = options.disks
  }

  /** Undefined while it is down, or not open yet. */
  get life(): DatanodeLife | undefined {
    return this.current?.process.isAlive === true ? this.current : undefined
  }

  /** A process with a failed disk is started again: only that reads the disk anew. One that was left out is given time. */
  get failure(): string | undefined {
    const { datanode, process, openedMs } = this.life ?? {}
    const isPatient = process !== undefined && process.clock.monotonicMs() - (openedMs ?? 0) < leftOutMs
    const failed = datanode?.disks().find(({ path, state }) => {
      return state === 'failed' && !this.pulled.has(path) && !(isPatient && this.leftOut.includes(path))
    })
    return failed && `the disk ${failed.path} has failed`
  }

  describe(): string {
    if (this.life === undefined) return this.node.isUp ? 'not open' : 'down'
    const { datanode } = this.life
    const containers = datanode.containers().map(({ id, state, blockCount, contentHash, generation, pipeline }) => {
      return `${id} ${state} ${blockCount} ${contentHash ?? '-'} g${generation}${pipeline === undefined ? '' : ` ${pipeline}`}`
    })
    return `${JSON.stringify(datanode.pipelines())} ${containers.join('; ')}`
  }

  down(how: 'kill' | 'crash'): void {
    this.node[how]()
  }

  replaceDisk(): void {
    this.node.replaceDisk()
  }

  /** So many directories are there. */
  get disksThere(): number {
    return this.disks.length - this.pulled.size
  }

  /** A directory is not there for a while, from the next start on, and has then what it had. */
  pullDisk(path: string): void {
    this.pulled.add(path)
  }

  returnDisk(path: string): void {
    this.pulled.delete(path)
  }

  /** One of its directories is blank from now on, of a machine that is down. */
  async loseDisk(path: string): Promise<void> {
    const losses = (this.losses.get(path) ?? 0) + 1
    this.losses.set(path, losses)
    const { disk } = this.node.boot()
    // A machine that has lost everything just now has nothing there.
    if ((await disk.stat(path)) !== undefined) await disk.rename(path, `/lost${path.replaceAll('/', '-')}-${losses}`)
    await disk.syncDirectory('/')
    this.node.kill()
  }

  /** The index of a directory goes with its disk. */
  openKv(path: string): ReturnType<SimNode['openKv']> {
    const lost = [...this.losses].find(([directory]) => path.startsWith(`${directory}/`))
    return this.node.openKv(lost === undefined ? path : `${path} ${lost[1]}`)
  }

  /** Starts a process. `down`: the machine went down meanwhile. Rejects as `openDatanode`, and is down then. */
  async start(): Promise<'up' | 'down'> {
    const process = this.node.boot()
    try {
      const opened = await process.whileUp(this.open(process))
      if (opened === 'down') return 'down'
      this.current = opened
      return 'up'
    } catch (error) {
      this.node.kill()
      throw error
    }
  }

  private async open(process: SimProcess): Promise<DatanodeLife> {
    const { config, log, rack, plants = {} } = this.options
    const disks = this.disks.filter((path) => !this.pulled.has(path))
    const { env: counted, running } = countingTasks(process)
    const env = plants.env?.(counted) ?? counted
    const { id } = this
    const address = `${id}:${port}`
    const graph = new Graph()
    const late: { vouching?: Vouching } = {}
    const rpc = new RpcTransport({ env, address, authentication: trustedClient })
    const others = new DatanodeDirectory({
      env,
      authentication: trustedClient,
      deadlineMs: 4_000,
      tokenFor: copyTokens(() => late.vouching, env.clock),
    })
    const opened = await openDatanode({
      env,
      disks,
      away: [...this.pulled].map((path) => ({ path, why: 'it is not there' })),
      returned: this.leftOut.filter((path) => disks.includes(path)),
      lostDisks: 'go-on',
      clusterId: 'simulated',
      datanodeId: id,
      config,
      log,
      metrics: createMetrics(),
      openKv: (path) => this.openKv(path),
      company: { transport: plants.transport?.(rpc) ?? rpc, peer: others.find },
    })
    this.leftOut = opened.awayDisks.map(({ path }) => path)
    const datanode = plants.datanode?.(opened) ?? opened
    const { scm, scmMembers, clients } = this.talks(env)
    graph
      .value(HDDS_ENV, env)
      .value(HDDS_LOG, log)
      .value(HDDS_CONFIG, config)
      .value(HDDS_DATANODE, datanode)
      .value(HDDS_SCM, scm)
    installHdds(graph, { address, rack, scmMembers, datanodes: others, code: new WasmErasureCode() })
    const known = graph.get(HDDS_VOUCHING)
    late.vouching = known
    const tokens: TokenCheck = {
      admit: (token, deed) => known.admit(token, deed),
      shardOf: new ShardParents(datanode).of,
    }
    const server = new RpcServer<undefined>({
      clock: env.clock,
      tasks: env.tasks,
      network: env.network,
      log,
      authentication: trustedServer,
      limits: datanodeRpcLimits,
      methods: {
        ...serveDatanode(graph.get(HDDS_SERVED), { clock: env.clock, tokens }),
        ...raftMethods<undefined>(rpc, () => true),
      },
    })
    await server.listen({ kind: 'tcp', host: id, port })
    const reconcilers = graph.get(HDDS_RECONCILERS)
    reconcilers.start()
    const close = async (): Promise<void> => {
      await reconcilers.stop()
      await opened.close()
      await server.close(500)
      await rpc.close()
      others.close()
      for (const client of clients) client.close()
    }
    return { process, openedMs: env.clock.monotonicMs(), datanode: opened, running, close }
  }

  /** The group, where it asks for places and keys, and each member by itself, for heartbeats. */
  private talks(env: Env): {
    readonly scm: RemoteScm
    readonly scmMembers: readonly ScmMember[]
    readonly clients: readonly GroupClient[]
  } {
    const { scmIds, plants = {} } = this.options
    const group = groupClient(env, 'scm', scmIds)
    const each = scmIds.map((id) => ({ id, client: groupClient(env, id, [id], { deadlineMs: 3_000 }) }))
    const scmMembers = each.map(({ id, client }) => {
      const member = new RemoteScm(client)
      return { id, scm: plants.scm?.(member, this.id) ?? member }
    })
    return { scm: new RemoteScm(group), scmMembers, clients: [group, ...each.map(({ client }) => client)] }
  }
}
