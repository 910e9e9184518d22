/** Datanodes on simulated machines that are members of pipelines with each other, over the simulated network. */

import type { Env } from '@o3/common/env'
import { Simulation, diskLatency } from '@o3/common/env/sim'
import type { SimNode, SimProcess, SimulationOptions } from '@o3/common/env/sim'
import { isStoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import type { Logger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import { RpcServer, trustedClient, trustedServer } from '@o3/common/rpc'
import { RpcTransport, raftMethods } from '@o3/ratis/node'
import type { RaftTransport } from '@o3/ratis/node'
import type { MemoryNetwork } from '@o3/ratis/testing'
import type { PipelineMember } from '@o3/scm/api'
import { DatanodeDirectory } from '../../src/client/client.ts'
import type { HddsConfig, PipelineConfig } from '../../src/config.ts'
import { datanodeRpcLimits, serveDatanode } from '../../src/rpc/rpc.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { openDatanode } from '../../src/service/open-datanode.ts'
import { smallConfig } from './machine.ts'
import { admitAll } from './wire.ts'

const KiB = 1024
const port = 9861

/** Small bounds, so that small programs reach them. */
export const smallPipelines: PipelineConfig = {
  ...smallConfig.pipeline,
  segmentBytes: 128 * KiB,
  keptLogBytes: 256 * KiB,
  maxInFlightBytes: 128 * KiB,
  maxPendingBytes: 64 * KiB,
  checkpointBytes: 64 * KiB,
  retryMs: 200,
  silenceMs: 2_000,
  streamGraceMs: 500,
  fetchPatienceMs: 5_000,
  closePatienceMs: 2_000,
}

export interface PipelineClusterOptions {
  readonly seed: string | number
  readonly datanodes?: readonly string[]
  readonly disks?: readonly string[]
  readonly config?: Partial<HddsConfig>
  readonly pipeline?: Partial<PipelineConfig>
  readonly network?: SimulationOptions['network']
  readonly log?: Logger
  /** Messages of the groups travel by themselves, and not over the simulated network's streams. */
  readonly messages?: (simulation: Simulation) => MemoryNetwork
  /** For planted bugs: what each datanode is given in place of its own. */
  readonly plant?: {
    readonly env?: (env: Env) => Env
    readonly transport?: (transport: RaftTransport) => RaftTransport
  }
}

/** One datanode: the process that runs on its machine now. */
export interface ClusterMember {
  readonly id: string
  readonly node: SimNode
  readonly process: SimProcess
  readonly datanode: LocalDatanode
  readonly close: () => Promise<void>
}

/** Paths, of its disks. */
export interface DisksAtStart {
  /** Not there now. */
  readonly away?: readonly string[]
  /** Were not there at an earlier start. */
  readonly returned?: readonly string[]
}

type ToOpen = Pick<ClusterMember, 'id' | 'node' | 'process'> & DisksAtStart

export class PipelineCluster {
  readonly simulation: Simulation
  readonly ids: readonly string[]
  readonly up = new Map<string, ClusterMember>()
  /** Disks take so many times as long. */
  readonly slowness = new Map<string, number>()
  private readonly options: PipelineClusterOptions
  /** Of machine and path: how often what was there was lost. */
  private readonly losses = new Map<string, number>()
  private readonly memory: MemoryNetwork | undefined

  constructor(options: PipelineClusterOptions) {
    this.options = options
    this.ids = options.datanodes ?? ['dn-1', 'dn-2', 'dn-3']
    this.simulation = new Simulation({ seed: options.seed, ...(options.network && { network: options.network }) })
    this.memory = options.messages?.(this.simulation)
  }

  get members(): readonly PipelineMember[] {
    return this.ids.map((datanode) => ({ datanode, address: `${datanode}:${port}` }))
  }

  /** Starts all, runs `script` in virtual time, and stops who is up. */
  run(script: (cluster: PipelineCluster) => Promise<void>): Promise<void> {
    return this.simulation.run(async () => {
      for (const id of this.ids) await this.start(id)
      await script(this)
      for (const id of this.ids) if (this.up.has(id)) await this.stop(id)
    })
  }

  node(id: string): SimNode {
    const usual = diskLatency()
    return this.simulation.node(id, { latency: (operation) => usual(operation) * (this.slowness.get(id) ?? 1) })
  }

  member(id: string): ClusterMember {
    const member = this.up.get(id)
    if (member === undefined) throw new Error(`${id} is down`)
    return member
  }

  datanode(id: string): LocalDatanode {
    return this.member(id).datanode
  }

  /** Starts a process, and the datanode in it, over what its machine's disks hold. Undefined when it dies on the way. */
  async start(id: string, disks: DisksAtStart = {}): Promise<ClusterMember | undefined> {
    const node = this.node(id)
    const process = node.boot()
    const started = await node.whileUp(this.open({ id, node, process, ...disks }))
    if (started === 'down') return undefined
    this.up.set(id, started)
    return started
  }

  kill(id: string): void {
    this.up.delete(id)
    this.node(id).kill()
  }

  crash(id: string): void {
    this.up.delete(id)
    this.node(id).crash()
  }

  /** One of its disks is taken out, of a machine that is down: files and index. What is under the path is blank then. */
  async loseDisk(id: string, path: string): Promise<void> {
    const node = this.node(id)
    const key = `${id} ${path}`
    const losses = (this.losses.get(key) ?? 0) + 1
    this.losses.set(key, losses)
    const { disk } = node.boot()
    await disk.rename(path, `/lost-${losses}${path.replaceAll('/', '-')}`)
    await disk.syncDirectory('/')
    node.kill()
  }

  /** An orderly end. */
  async stop(id: string): Promise<void> {
    const { close, node } = this.member(id)
    this.up.delete(id)
    await node.whileUp(close())
    node.kill()
  }

  /** Cuts it off from all others; the way to heal. */
  isolate(id: string): () => void {
    const heals = this.ids
      .filter((other) => other !== id)
      .flatMap((other) => [this.simulation.network.block(id, other), this.simulation.network.block(other, id)])
    return () => {
      for (const heal of heals) heal()
    }
  }

  /** As SCM does it: told to all until all report it. */
  async createPipeline(pipeline: string): Promise<void> {
    await this.until(`${pipeline} is made`, async () => {
      await Promise.all([...this.up.values()].map((member) => this.attempt(member, pipeline)))
      return [...this.up.values()].every(({ datanode }) => datanode.pipelines().some(({ id }) => id === pipeline))
    })
  }

  private async attempt({ datanode, node }: ClusterMember, pipeline: string): Promise<void> {
    try {
      await node.whileUp(datanode.createPipeline(pipeline, this.members))
    } catch (error) {
      if (!isStoreError(error)) throw error
    }
  }

  /** Of those that are up and believe it, the one in the newest term. */
  leader(pipeline: string): ClusterMember | undefined {
    let best: { readonly member: ClusterMember; readonly term: number } | undefined
    for (const member of this.up.values()) {
      const report = member.datanode.pipelines().find(({ id }) => id === pipeline)
      if (report?.leader !== member.id) continue
      if (best === undefined || report.term > best.term) best = { member, term: report.term }
    }
    return best?.member
  }

  async elected(pipeline: string, not?: string): Promise<ClusterMember> {
    await this.until(`${pipeline} has a leader`, () => {
      const leader = this.leader(pipeline)
      return leader !== undefined && leader.id !== not
    })
    const leader = this.leader(pipeline)
    if (leader === undefined) throw new Error('the leader is gone already')
    return leader
  }

  /** Polls in virtual time. */
  async until(what: string, condition: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
    const endMs = this.simulation.nowMs + withinMs
    while (!(await condition())) {
      if (this.simulation.nowMs > endMs) throw new Error(`after ${withinMs} ms it is still not true that ${what}`)
      await this.simulation.clock.sleep(20)
    }
  }

  private lossesOf(id: string, path: string): string {
    const lost = [...this.losses].find(([key]) => `${id} ${path}`.startsWith(`${key}/`))
    return lost === undefined ? '' : ` ${lost[1]}`
  }

  private async open({ id, node, process, away = [], returned = [] }: ToOpen): Promise<ClusterMember> {
    const { config, pipeline, log = nullLogger, disks = ['/disk1'], plant = {} } = this.options
    const env = plant.env?.(process) ?? process
    const authentication = trustedClient
    const directory = new DatanodeDirectory({ env, authentication, deadlineMs: 5_000 })
    const address = `${id}:${port}`
    const rpc = new RpcTransport({ env, address, authentication })
    const plain = this.memory?.transport(id) ?? rpc
    const transport = plant.transport?.(plain) ?? plain
    const datanode = await openDatanode({
      env,
      disks: disks.filter((path) => !away.includes(path)),
      away: away.map((path) => ({ path, why: 'it is not there' })),
      returned,
      clusterId: 'cluster-1',
      datanodeId: id,
      config: { ...smallConfig, ...config, pipeline: { ...smallPipelines, ...pipeline } },
      log: log.child({ node: id }),
      metrics: createMetrics(),
      openKv: (path) => node.openKv(`${path}${this.lossesOf(id, path)}`),
      company: { transport, peer: (peer, at) => directory.find(peer, at) },
    })
    const server = new RpcServer<undefined>({
      ...env,
      log: nullLogger,
      authentication: trustedServer,
      limits: datanodeRpcLimits,
      methods: {
        ...serveDatanode(datanode, { clock: env.clock, tokens: admitAll }),
        ...raftMethods<undefined>(rpc, () => true),
      },
    })
    await server.listen({ kind: 'tcp', host: '127.0.0.1', port })
    const close = async (): Promise<void> => {
      await datanode.close()
      await transport.close()
      directory.close()
      await server.close(0)
    }
    return { id, node, process, datanode, close }
  }
}
