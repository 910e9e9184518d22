import type { Disk, Env } from '@o3/common/env'
import { Simulation } from '@o3/common/env/sim'
import type { SimNode } from '@o3/common/env/sim'
import type { KvStore } from '@o3/common/kv'
import { nullLogger } from '@o3/common/logger'
import type { Logger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import { defaultHddsConfig } from '../../src/config.ts'
import type { HddsConfig } from '../../src/config.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { openDatanode } from '../../src/service/open-datanode.ts'
import type { DatanodeOptions } from '../../src/service/open-datanode.ts'

const KiB = 1024

/** Small bounds, so that small programs reach them. */
export const smallConfig: HddsConfig = {
  ...defaultHddsConfig,
  maxBatchBytes: 256 * KiB,
  maxBatchRecords: 8,
  eagerWriteBytes: 16 * KiB,
  writeBackBytes: 64 * KiB,
  maxUnsyncedBytes: 256 * KiB,
  preallocateBytes: 16 * KiB,
  reserveBytes: 64 * KiB,
  cachedExtents: 16,
  idleFiles: 1,
  compactGarbageShare: 0.2,
  compactGarbageBytes: 1,
}

export interface MachineOptions {
  readonly seed: string | number
  readonly disks?: readonly string[]
  readonly config?: Partial<HddsConfig>
  readonly capacityBytes?: number
  /** Puts something between the datanode and its disk: a planted bug. */
  readonly wrapDisk?: (disk: Disk) => Disk
  readonly wrapKv?: (kv: KvStore) => KvStore
  /** Each start finds an empty index. */
  readonly forgetsIndex?: boolean
  readonly log?: Logger
}

export type StartOverrides = Partial<
  Pick<DatanodeOptions, 'clusterId' | 'datanodeId' | 'disks' | 'away' | 'returned' | 'lostDisks'>
>

/** One simulated machine with a datanode on it, which crashes and starts again. */
export class Machine {
  readonly simulation: Simulation
  readonly node: SimNode
  readonly disks: readonly string[]
  /** How often a script ended a process at the site that it was asked to. */
  readonly deathsAt = new Map<string, number>()
  private readonly options: MachineOptions
  private running: LocalDatanode | undefined
  private starts = 0

  constructor(options: MachineOptions) {
    this.options = options
    this.disks = options.disks ?? ['/disk1']
    this.simulation = new Simulation({ seed: options.seed })
    const { capacityBytes } = options
    this.node = this.simulation.node('dn', capacityBytes === undefined ? {} : { disk: { capacityBytes } })
  }

  get datanode(): LocalDatanode {
    if (this.running === undefined) throw new Error('the datanode is not running')
    return this.running
  }

  get env(): Env {
    const { process } = this.node
    const { wrapDisk } = this.options
    if (wrapDisk === undefined) return process
    const { clock, random, tasks, network, at } = process
    return { clock, random, tasks, network, at, disk: wrapDisk(process.disk) }
  }

  /** Starts a process if there is none, and the datanode in it. */
  async start(overrides: StartOverrides = {}): Promise<LocalDatanode> {
    if (!this.node.isUp) this.node.boot()
    this.starts++
    this.running = await openDatanode({
      env: this.env,
      disks: overrides.disks ?? this.disks,
      ...(overrides.away && { away: overrides.away }),
      ...(overrides.returned && { returned: overrides.returned }),
      lostDisks: overrides.lostDisks ?? 'refuse',
      clusterId: overrides.clusterId ?? 'cluster-1',
      datanodeId: overrides.datanodeId ?? 'dn-1',
      config: { ...smallConfig, ...this.options.config },
      log: this.options.log ?? nullLogger,
      metrics: createMetrics(),
      openKv: async (path) => {
        const kv = await this.node.openKv(this.options.forgetsIndex === true ? `${path}-${this.starts}` : path)
        return this.options.wrapKv?.(kv) ?? kv
      },
    })
    return this.running
  }

  /** Runs a script in the world of this machine. */
  run<T>(main: () => Promise<T>): Promise<T> {
    return this.simulation.run(main)
  }
}
