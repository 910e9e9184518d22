/** A datanode on its disks. */

import { join, resolve } from 'node:path'
import type { Graph } from '@o3/common/di'
import { openLevelKv } from '@o3/common/kv/level'
import {
  HDDS_CONFIG,
  HDDS_DATANODE,
  HDDS_ENV,
  HDDS_LOG,
  HDDS_RECONCILERS,
  defaultHddsConfig,
  installHdds,
  openCodePool,
  openDatanode,
  openVerifyPool,
} from '@o3/hdds/module'
import type { DatanodeDirectory } from '@o3/hdds/client'
import type { LocalDatanode, ScmMember } from '@o3/hdds/module'
import type { RaftTransport } from '@o3/ratis/node'
import { findAllDisks, findSomeDisks, rememberDisks } from '../known-disks.ts'
import type { ProcessParts } from '../process/running-process.ts'
import type { DataSettings, HddsSettings } from '../settings.ts'

export interface DatanodeOptions {
  readonly clusterId: string
  readonly datanodeId: string
  /** `host:port` where other processes reach it; undefined when none does. */
  readonly address?: string
  /** `/rack` or `/room/rack`. */
  readonly rack?: string
  /** Has the list of its disks, and the disk where none is named. */
  readonly directory: string
  readonly data: Pick<DataSettings, 'disks' | 'reserve'>
  readonly settings: HddsSettings
  /** What a known disk that is not there, or cannot be opened, means: `refuse` to start, or `go-on` with the others, because copies are elsewhere. */
  readonly lostDisks: 'refuse' | 'go-on'
  /** The other datanodes of its cluster. Default: there are none, and it is a member of no pipeline. */
  readonly others?: OtherDatanodes
  /** Each of them hears its heartbeats. Default: the caller's `HDDS_SCM` is the only one. */
  readonly scmMembers?: readonly ScmMember[]
}

/** How a datanode reaches the others; whoever made it closes it after the datanode. */
export interface OtherDatanodes {
  readonly directory: DatanodeDirectory
  readonly transport: RaftTransport
}

/** Binds `HDDS_DATANODE` and what `installHdds` does, started. The caller binds `HDDS_SCM`. */
export async function startDatanode(
  graph: Graph,
  parts: ProcessParts,
  options: DatanodeOptions,
): Promise<LocalDatanode> {
  const { env, log, lifecycle } = parts
  const { clusterId, datanodeId, address, rack, directory, data, settings, scmMembers, others } = options
  const config = {
    ...defaultHddsConfig,
    reserveBytes: data.reserve,
    scrubDeadlineMs: settings.scrub,
    compactIntervalMs: settings.compactInterval,
  }
  const disks = (data.disks.length > 0 ? data.disks : [join(directory, 'disk')]).map((disk) => resolve(disk))
  const find = options.lostDisks === 'refuse' ? findAllDisks : findSomeDisks
  const found = await find(env, directory, disks)
  const verifier = openVerifyPool()
  await lifecycle.start('verification threads', { start: () => {}, stop: () => verifier.close() })
  const datanode = await openDatanode({
    env,
    disks: found.present,
    away: found.away,
    returned: found.returned,
    lostDisks: options.lostDisks,
    clusterId,
    datanodeId,
    config,
    log: log.child({ service: 'hdds' }),
    metrics: parts.metrics,
    verifier,
    openKv: (path) => openLevelKv(path, { cacheBytes: 32 * 1024 ** 2 }),
    ...(others && { company: { transport: others.transport, peer: others.directory.find } }),
  })
  await lifecycle.start('datanode', { start: () => {}, stop: () => datanode.close() })
  await rememberDisks(env, directory, {
    present: datanode.dataDisks.map(({ path }) => path),
    // One that failed before it had anything may come back empty.
    away: datanode.awayDisks.map(({ path }) => path).filter((path) => !found.fresh.includes(path)),
  })
  graph
    .value(HDDS_ENV, env)
    .value(HDDS_LOG, log.child({ service: 'hdds' }))
    .value(HDDS_CONFIG, config)
    .value(HDDS_DATANODE, datanode)
  const code = others && openCodePool()
  if (code !== undefined) await lifecycle.start('coding threads', { start: () => {}, stop: () => code.close() })
  installHdds(graph, {
    ...(others && { datanodes: others.directory }),
    ...(code && { code }),
    ...(address === undefined ? {} : { address }),
    ...(rack === undefined ? {} : { rack }),
    ...(scmMembers && { scmMembers }),
    metrics: parts.metrics,
  })
  const reconcilers = graph.get(HDDS_RECONCILERS)
  await lifecycle.start('datanode reconcilers', { start: () => reconcilers.start(), stop: () => reconcilers.stop() })
  return datanode
}
