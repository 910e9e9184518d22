import type { Env } from '@o3/common/env'
import { assert, isStoreError } from '@o3/common/errors'
import type { KvStore } from '@o3/common/kv'
import type { Logger } from '@o3/common/logger'
import type { Metrics } from '@o3/common/metrics'
import type { ContainerId, DatanodeId } from '@o3/scm/api'
import type { ScrubFinding } from '../api/api.ts'
import type { HddsConfig } from '../config.ts'
import { DatanodePipelines } from '../pipeline/datanode-pipelines.ts'
import type { PipelineCompany } from '../pipeline/datanode-pipelines.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import { openDataDisk } from '../storage/open-data-disk.ts'
import { ReadBuffers } from '../storage/read-buffers.ts'
import type { UnitVerifier } from '../storage/verify-pool.ts'
import { storageMetrics } from '../storage/storage-metrics.ts'
import { gaugeAbsence, gaugeDisk } from './disk-gauges.ts'
import { FindingLog } from './finding-log.ts'
import { LocalDatanode } from './local-datanode.ts'
import { openDisks } from './open-disks.ts'
import type { AbsentDisk } from './local-datanode.ts'

export interface DatanodeOptions {
  readonly env: Env
  /** One directory per disk; an empty or missing one is formatted. */
  readonly disks: readonly string[]
  /** Disks of this datanode that are not there now: they are reported as failed, and their directories are not touched. */
  readonly away?: readonly AbsentDisk[]
  /** Of `disks`, those that were away at an earlier start. */
  readonly returned?: readonly string[]
  /**
   * What a disk means that cannot be opened by a fault of its own: `refuse` to start, or `go-on` with the others, because copies
   * are elsewhere. It is then reported like one that is away. Default `refuse`.
   */
  readonly lostDisks?: 'refuse' | 'go-on'
  readonly clusterId: string
  readonly datanodeId: DatanodeId
  readonly config: HddsConfig
  readonly log: Logger
  readonly metrics: Metrics
  /** Opens, or creates, the key-value store in a directory that exists. */
  readonly openKv: (path: string) => Promise<KvStore>
  /** Proves large reads on another core; the caller closes it after the datanode. Default: here. */
  readonly verifier?: UnitVerifier
  /** The other datanodes, for pipelines; without it this one is a member of none. */
  readonly company?: PipelineCompany
}

/**
 * Opens every disk, side by side (`openDisks`). `Incompatible` for a directory that is not this datanode's, `Busy` while another
 * process has it; what the first of them failed with when none can be used, or `lostDisks` is `refuse`.
 */
export async function openDatanode(options: DatanodeOptions): Promise<LocalDatanode> {
  const { env, config, clusterId, datanodeId, openKv, away: gone = [], returned = [], lostDisks = 'refuse' } = options
  assert(options.disks.length > 0, 'a datanode has a disk')
  const log = options.log.child({ datanode: datanodeId })
  const findings = new FindingLog(log)
  const buffers = new ReadBuffers(config.idleReadBuffers, options.verifier)
  const metrics = storageMetrics(options.metrics)
  const owner = { clusterId, datanodeId }
  const report = (finding: ScrubFinding): void => {
    if (findings.add(finding)) metrics.damage.add(1)
  }
  const { kept, away } = await openDisks({
    paths: options.disks,
    away: gone,
    returned,
    lostDisks,
    open: (path) => openDataDisk({ env, path, owner, config, log, buffers, metrics, openKv, report }),
  })
  for (const { path, why } of away) log.error({ path, why }, 'a disk is left out')
  const present = kept.flatMap((disk) => [...disk.containers.keys()])
  for (const disk of kept) await readmitOn(disk, present)
  for (const disk of kept) gaugeDisk(options.metrics, disk)
  for (const { path } of away) gaugeAbsence(options.metrics, path)
  const datanode = new LocalDatanode({ env, id: datanodeId, disks: kept, away, log, findings, buffers })
  const { company } = options
  if (company !== undefined) {
    await datanode.takePart((containers) => {
      return DatanodePipelines.open({
        env,
        log,
        self: datanodeId,
        disks: kept,
        containers,
        company,
        config: config.pipeline,
      })
    })
  }
  return datanode
}

/** One that fails here is one that fails while it serves: it is read, takes no writes, and says so. */
async function readmitOn(disk: DataDisk, present: readonly ContainerId[]): Promise<void> {
  try {
    await disk.readmit(present)
  } catch (error) {
    if (!isStoreError(error, 'VolumeFailed')) throw error
  }
}
