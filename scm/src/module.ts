/** What an SCM is made of. The caller binds `SCM_ENV`, `SCM_LOG`, `SCM_CONFIG`, `SCM_SEALING` and the opened `SCM_STORE`. */

import type { Graph } from '@o3/common/di'
import { defaultReplicationConfig } from './service/replication/replication-config.ts'
import type { ReplicationConfig } from './service/replication/replication-config.ts'
import { replicationWorker } from './service/replication/replication-worker.ts'
import { ScmService } from './service/scm-service.ts'
import { SCM, SCM_CONFIG, SCM_ENV, SCM_LOG, SCM_SEALING, SCM_STORE } from './tokens.ts'

export { defaultScmConfig } from './config.ts'
export type { ScmConfig } from './config.ts'
export type { ScmCommand, ScmReply } from './core/command.ts'
export type { KeySchedule } from './core/secret-key.ts'
export { scmRules } from './core/rules.ts'
export type { Standing } from '@o3/ratis/leadership'
export { ScmService } from './service/scm-service.ts'
export { defaultReplicationConfig } from './service/replication/replication-config.ts'
export type { ReplicationConfig } from './service/replication/replication-config.ts'
export { replicationWorker } from './service/replication/replication-worker.ts'
export type { MakeWorker, TermParts, TermWorker } from './service/term-worker.ts'
export { SCM, SCM_CONFIG, SCM_ENV, SCM_LOG, SCM_SEALING, SCM_STORE } from './tokens.ts'

/** Binds `SCM`. Call its `start` before the first datanode registers. `replication`: how copies are made and moved. */
export function installScm(graph: Graph, replication: ReplicationConfig = defaultReplicationConfig): void {
  graph.build(
    SCM,
    (parts) =>
      new ScmService({
        env: parts.get(SCM_ENV),
        store: parts.get(SCM_STORE),
        config: parts.get(SCM_CONFIG),
        log: parts.get(SCM_LOG),
        sealing: parts.get(SCM_SEALING),
        workers: [replicationWorker({ config: replication, random: parts.get(SCM_ENV).random })],
      }),
  )
}
