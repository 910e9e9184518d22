import type { Env } from '@o3/common/env'
import { assert } from '@o3/common/errors'
import type { KvStore } from '@o3/common/kv'
import type { Logger } from '@o3/common/logger'
import type { Metrics } from '@o3/common/metrics'
import type { DatanodeId } from '@o3/scm/api'
import type { ScrubFinding } from '../api/api.ts'
import type { HddsConfig } from '../config.ts'
import { DatanodePipelines } from '../pipeline/datanode-pipelines.ts'
import type { PipelineCompany } from '../pipeline/datanode-pipelines.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import { openDataDisk } from '../storage/open-data-disk.ts'
import { ReadBuffers } from '../storage/read-buffers.ts'
import type { UnitVerifier } from '../storage/verify-pool.ts'
import { storageMetrics } from '../storage/storage-metrics.ts'
import { FindingLog } from './finding-log.ts'
import { LocalDatanode } from './local-datanode.ts'
import type { AbsentDisk } from './local-datanode.ts'

export interface DatanodeOptions {
  readonly env: Env
  /** One directory per disk; an empty or missing one is formatted. */
  readonly disks: readonly string[]
  /** Disks of this datanode that are not there now: they are reported as failed, and their directories are not touched. */
  readonly away?: readonly AbsentDisk[]
  /** Of `disks`, those that were away at an earlier start. */
  readonly returned?: readonly string[]
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
 * Opens every disk, side by side. One that has returned, and has a container that was made anew elsewhere meanwhile, is left as it
 * is and counts as away: nobody can say which of the two is meant. Else all or nothing: `Incompatible` for a directory that is not this datanode's, `Busy`
 * while another process has it, `Damaged` when it cannot be read.
 */
export async function openDatanode(options: DatanodeOptions): Promise<LocalDatanode> {
  const { env, config, clusterId, datanodeId, openKv } = options
  assert(options.disks.length > 0, 'a datanode has a disk')
  const log = options.log.child({ datanode: datanodeId })
  const findings = new FindingLog(log)
  const buffers = new ReadBuffers(config.idleReadBuffers, options.verifier)
  const metrics = storageMetrics(options.metrics)
  const owner = { clusterId, datanodeId }
  const report = (finding: ScrubFinding): void => {
    if (findings.add(finding)) metrics.damage.add(1)
  }
  const opening = options.disks.map((path) =>
    openDataDisk({ env, path, owner, config, log, buffers, metrics, openKv, report }),
  )
  const disks: DataDisk[] = []
  const failures: unknown[] = []
  for (const result of await Promise.allSettled(opening)) {
    if (result.status === 'fulfilled') disks.push(result.value)
    else failures.push(result.reason)
  }
  if (failures.length > 0) {
    for (const disk of disks) await disk.close()
    throw failures[0]
  }
  const { kept, away } = await leaveStaleOut(disks, options)
  for (const { path, why } of away) log.error({ path, why }, 'a disk is left out')
  const present = kept.flatMap((disk) => [...disk.containers.keys()])
  for (const disk of kept) await disk.readmit(present)
  for (const disk of kept) sampleDisk(options.metrics, disk)
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

async function leaveStaleOut(
  disks: readonly DataDisk[],
  { away = [], returned = [] }: Pick<DatanodeOptions, 'away' | 'returned'>,
): Promise<{ readonly kept: readonly DataDisk[]; readonly away: readonly AbsentDisk[] }> {
  const left = [...away]
  const kept: DataDisk[] = []
  // Those that never were away come first: what they have is what has been worked with.
  const ordered = disks.toSorted((a, b) => Number(returned.includes(a.path)) - Number(returned.includes(b.path)))
  for (const disk of ordered) {
    const twice = [...disk.containers.keys()].find((id) => kept.some(({ containers }) => containers.has(id)))
    if (twice === undefined || !returned.includes(disk.path)) {
      kept.push(disk)
      continue
    }
    await disk.close()
    left.push({ path: disk.path, why: `while it was away, container ${twice} was made anew on another disk` })
  }
  return { kept, away: left }
}

function sampleDisk(metrics: Metrics, disk: DataDisk): void {
  const labels = { disk: disk.path }
  const gauge = (name: string, help: string, read: () => number): void => {
    metrics.sampled({ name: `o3_hdds_disk_${name}`, help, kind: 'gauge', labels, read })
  }
  gauge('available_bytes', 'Bytes that may still be written to a disk.', () => disk.report().availableBytes)
  gauge('used_bytes', 'Bytes in the container files of a disk.', () => disk.report().usedBytes)
  gauge('containers', 'Containers on a disk.', () => disk.containers.size)
  gauge('healthy', '1 while a disk takes writes.', () => (disk.state === 'healthy' ? 1 : 0))
}
