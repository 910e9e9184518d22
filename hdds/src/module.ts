/**
 * What a datanode and its client are made of. The caller binds `HDDS_ENV`, `HDDS_LOG`, `HDDS_CONFIG`, `HDDS_SCM` and the
 * opened `HDDS_DATANODE`. Who has blocks to write and no datanode takes `BlockClient` and `DatanodeDirectory` from
 * `@o3/hdds/client`; who serves a datanode to other processes takes `serveDatanode` from `@o3/hdds/rpc`.
 */

import type { Graph } from '@o3/common/di'
import type { Metrics } from '@o3/common/metrics'
import { BlockClient } from './client/client.ts'
import type { DatanodeDirectory, FindDatanode } from './client/client.ts'
import type { ErasureCode } from './ec/erasure-code.ts'
import { contentCounting } from './reconcilers/content-counting.ts'
import { copyUpkeep } from './reconcilers/copy-upkeep.ts'
import { CopyCommands } from './reconcilers/copy-commands.ts'
import { compaction } from './reconcilers/compaction.ts'
import { diskSpaceWatch } from './reconcilers/disk-space.ts'
import { Heartbeating } from './reconcilers/heartbeat.ts'
import type { ScmMember } from './reconcilers/heartbeat.ts'
import { indexCheckpointing } from './reconcilers/index-checkpoint.ts'
import { Reconcilers } from './reconcilers/reconcilers.ts'
import { ScmCommands } from './reconcilers/scm-commands.ts'
import { ShardCommands } from './reconcilers/shard-commands.ts'
import type { Datanode, PipelineMembership } from './api/api.ts'
import { Scrubbing } from './reconcilers/scrubbing.ts'
import { TaskRegistry } from './service/tasks.ts'
import { Pace } from './storage/pace.ts'
import {
  HDDS_BLOCKS,
  HDDS_CONFIG,
  HDDS_DATANODE,
  HDDS_ENV,
  HDDS_LOG,
  HDDS_RECONCILERS,
  HDDS_SCM,
  HDDS_SERVED,
  HDDS_VOUCHING,
} from './tokens.ts'
import { SigningDatanode } from './service/signing-datanode.ts'
import { KeyRing, Vouching } from '@o3/scm/tokens'

export { defaultHddsConfig } from './config.ts'
export type { HddsConfig } from './config.ts'
export type { ScmMember } from './reconcilers/heartbeat.ts'
export { Reconcilers } from './reconcilers/reconcilers.ts'
export { LocalDatanode } from './service/local-datanode.ts'
export type { AbsentDisk } from './service/local-datanode.ts'
export { openDatanode } from './service/open-datanode.ts'
export type { DatanodeOptions } from './service/open-datanode.ts'
export { checkDisk } from './storage/check-disk.ts'
export type { DiskCheck } from './storage/check-disk.ts'
export { openCodePool } from './ec/code-pool.ts'
export { ShardParents } from './ec/shard-parents.ts'
export type { PipelineCompany } from './pipeline/datanode-pipelines.ts'
export { openVerifyPool } from './storage/verify-pool.ts'
export type { UnitVerifier } from './storage/verify-pool.ts'
export {
  HDDS_BLOCKS,
  HDDS_CONFIG,
  HDDS_DATANODE,
  HDDS_ENV,
  HDDS_LOG,
  HDDS_RECONCILERS,
  HDDS_SCM,
  HDDS_SERVED,
  HDDS_VOUCHING,
} from './tokens.ts'
export { copyTokens } from './service/copy-tokens.ts'
export { SigningDatanode } from './service/signing-datanode.ts'

export interface HddsOptions {
  /** `host:port` where other processes reach the datanode; without it, it is called in its own. */
  readonly address?: string
  /** `/rack` or `/room/rack`. */
  readonly rack?: string
  /**
   * Every member of SCM, each reached without regard to who leads: heartbeats go to all, and to those that `Reconcilers` is
   * told of later. `HDDS_SCM` is then the group, where the block client asks for places. Default: `HDDS_SCM` is the only member.
   */
  readonly scmMembers?: readonly ScmMember[]
  /** The datanodes of other processes; whoever made it closes it. Default: there are none. */
  readonly datanodes?: DatanodeDirectory
  /** For shards of closed containers; whoever made it closes it. Without it this datanode makes none. */
  readonly code?: ErasureCode
  /** Where what the block client counts is shown. */
  readonly metrics?: Metrics
}

/**
 * Binds `HDDS_RECONCILERS`, `HDDS_BLOCKS`, `HDDS_SERVED` (for `serveDatanode`) and `HDDS_VOUCHING`. Start order: SCM, datanode (`openDatanode`), reconcilers; the first
 * heartbeat registers. Stop the reconcilers, then `close` the datanode.
 */
export function installHdds(
  graph: Graph,
  { address, rack, datanodes, scmMembers, code, metrics }: HddsOptions = {},
): void {
  graph.build(HDDS_VOUCHING, (parts) => {
    const { clock } = parts.get(HDDS_ENV)
    return new Vouching({ keys: new KeyRing({ scm: parts.get(HDDS_SCM), clock, log: parts.get(HDDS_LOG) }), clock })
  })
  graph.build(HDDS_SERVED, (parts) => new SigningDatanode(parts.get(HDDS_DATANODE), parts.get(HDDS_VOUCHING)))
  graph.build(HDDS_RECONCILERS, (parts) => {
    const env = parts.get(HDDS_ENV)
    const log = parts.get(HDDS_LOG)
    const config = parts.get(HDDS_CONFIG)
    const datanode = parts.get(HDDS_DATANODE)
    const disks = datanode.dataDisks
    const { clock } = env
    const where = { address, ...(rack === undefined ? {} : { rack }), process: env.random.uuid() }
    const tasks = new TaskRegistry({ env, log, maxRunning: config.maxCopies })
    const pace = new Pace(clock, () => config.copyBytesPerSecond)
    const copies = new CopyCommands({
      scope: { env, log, home: datanode, silenceMs: config.copySilenceMs, pace },
      tasks,
      source: ({ datanode: id, address }) => datanodes?.find(id, address),
    })
    const find = finder(datanode, datanodes)
    const shards = code && new ShardCommands({ datanode, doors: { datanode: find }, code, clock, tasks, pace })
    const commands = new ScmCommands({ env, datanode, log, copies, ...(shards && { shards }) })
    return new Reconcilers({
      env,
      log,
      tasks,
      keys: parts.get(HDDS_VOUCHING).keys,
      scmMembers: scmMembers ?? [{ id: 'scm', scm: parts.get(HDDS_SCM) }],
      talk: (member) => new Heartbeating({ datanode, member, commands, tasks, ...where, config, log }),
      reconcilers: [
        diskSpaceWatch(disks, config),
        indexCheckpointing(disks, config),
        compaction(disks, config),
        contentCounting(disks, clock, config),
        copyUpkeep(disks, clock, config),
        ...disks.map((disk) => new Scrubbing({ disk, clock, log, config })),
      ],
    })
  })
  graph.build(HDDS_BLOCKS, (parts) => {
    const datanode = parts.get(HDDS_SERVED)
    return new BlockClient({
      env: parts.get(HDDS_ENV),
      local: datanode.id,
      locations: parts.get(HDDS_SCM),
      datanode: finder(datanode, datanodes),
      ...(metrics && { metrics }),
      ...(rack === undefined ? {} : { rack }),
    })
  })
}

function finder(datanode: Datanode & PipelineMembership, datanodes: DatanodeDirectory | undefined): FindDatanode {
  return (id, at) => (id === datanode.id ? datanode : datanodes?.find(id, at))
}
