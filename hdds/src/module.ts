/**
 * What a datanode and its client are made of. The caller binds `HDDS_ENV`, `HDDS_LOG`, `HDDS_CONFIG`, `HDDS_SCM` and the
 * opened `HDDS_DATANODE`. Who has blocks to write and no datanode takes `BlockClient` and `DatanodeDirectory` from
 * `@o3/hdds/client`; who serves a datanode to other processes takes `serveDatanode` from `@o3/hdds/rpc`.
 */

import type { Graph } from '@o3/common/di'
import { BlockClient } from './client/client.ts'
import type { DatanodeDirectory } from './client/client.ts'
import { compaction } from './reconcilers/compaction.ts'
import { diskSpaceWatch } from './reconcilers/disk-space.ts'
import { Heartbeating } from './reconcilers/heartbeat.ts'
import type { ScmMember } from './reconcilers/heartbeat.ts'
import { indexCheckpointing } from './reconcilers/index-checkpoint.ts'
import { Reconcilers } from './reconcilers/reconcilers.ts'
import { ScmCommands } from './reconcilers/scm-commands.ts'
import { Scrubbing } from './reconcilers/scrubbing.ts'
import { HDDS_BLOCKS, HDDS_CONFIG, HDDS_DATANODE, HDDS_ENV, HDDS_LOG, HDDS_RECONCILERS, HDDS_SCM } from './tokens.ts'

export { defaultHddsConfig } from './config.ts'
export type { HddsConfig } from './config.ts'
export type { ScmMember } from './reconcilers/heartbeat.ts'
export { Reconcilers } from './reconcilers/reconcilers.ts'
export { LocalDatanode } from './service/local-datanode.ts'
export { openDatanode } from './service/open-datanode.ts'
export type { DatanodeOptions } from './service/open-datanode.ts'
export { checkDisk } from './storage/check-disk.ts'
export type { DiskCheck } from './storage/check-disk.ts'
export { openVerifyPool } from './storage/verify-pool.ts'
export type { UnitVerifier } from './storage/verify-pool.ts'
export { HDDS_BLOCKS, HDDS_CONFIG, HDDS_DATANODE, HDDS_ENV, HDDS_LOG, HDDS_RECONCILERS, HDDS_SCM } from './tokens.ts'

export interface HddsOptions {
  /** `host:port` where other processes reach the datanode; without it, it is called in its own. */
  readonly address?: string
  /** `/rack` or `/room/rack`. */
  readonly rack?: string
  /**
   * Every member of SCM, each reached without regard to who leads: heartbeats go to all. `HDDS_SCM` is then the group, where
   * the block client asks for places. Default: `HDDS_SCM` is the only member.
   */
  readonly scmMembers?: readonly ScmMember[]
  /** The datanodes of other processes; whoever made it closes it. Default: there are none. */
  readonly datanodes?: DatanodeDirectory
}

/**
 * Binds `HDDS_RECONCILERS` and `HDDS_BLOCKS`. Start order: SCM, datanode (`openDatanode`), reconcilers; the first
 * heartbeat registers. Stop the reconcilers, then `close` the datanode.
 */
export function installHdds(graph: Graph, { address, rack, datanodes, scmMembers }: HddsOptions = {}): void {
  graph.build(HDDS_RECONCILERS, (parts) => {
    const env = parts.get(HDDS_ENV)
    const log = parts.get(HDDS_LOG)
    const config = parts.get(HDDS_CONFIG)
    const datanode = parts.get(HDDS_DATANODE)
    const disks = datanode.dataDisks
    const { clock } = env
    const members = scmMembers ?? [{ id: 'scm', scm: parts.get(HDDS_SCM) }]
    const where = rack === undefined ? {} : { rack }
    const commands = new ScmCommands({ env, datanode, log })
    return new Reconcilers({
      env,
      log,
      reconcilers: [
        ...members.map((member) => new Heartbeating({ datanode, member, commands, address, ...where, config, log })),
        diskSpaceWatch(disks, config),
        indexCheckpointing(disks, config),
        compaction(disks, config),
        ...disks.map((disk) => new Scrubbing({ disk, clock, log, config })),
      ],
    })
  })
  graph.build(HDDS_BLOCKS, (parts) => {
    const datanode = parts.get(HDDS_DATANODE)
    return new BlockClient({
      env: parts.get(HDDS_ENV),
      local: datanode.id,
      locations: parts.get(HDDS_SCM),
      datanode: (id, at) => (id === datanode.id ? datanode : datanodes?.find(id, at)),
    })
  })
}
