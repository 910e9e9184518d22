/** SCM on its replicated store. */

import { join } from 'node:path'
import type { Graph } from '@o3/common/di'
import { createKeyring } from '@o3/common/keyring'
import {
  SCM,
  SCM_CONFIG,
  SCM_ENV,
  SCM_LOG,
  SCM_SEALING,
  SCM_STORE,
  defaultReplicationConfig,
  defaultScmConfig,
  installScm,
  scmRules,
} from '@o3/scm/module'
import type { KeySchedule } from '@o3/scm/module'
import type { Consensus } from '@o3/ratis/node'
import type { ProcessParts } from '../process/running-process.ts'
import type { ScmSettings } from '../settings.ts'
import { openStore } from '../stores.ts'
import type { GroupPlace } from '../stores.ts'

/** SCM writes little; a short log file makes the first start quick. */
export const scmSegmentBytes = 8 * 1024 ** 2

export interface ScmOptions {
  /** The store is in `scm` of it. */
  readonly directory: string
  readonly settings: ScmSettings
  /** 32 bytes: the secret keys are written down under it. */
  readonly sealingKey: Uint8Array
  /** Of a store that is one of several. */
  readonly place?: GroupPlace
}

/** Binds `SCM` and `SCM_STORE`, started. Resolves with the member of the group, for one that has a place. */
export async function startScm(graph: Graph, parts: ProcessParts, options: ScmOptions): Promise<Consensus | undefined> {
  const { env, log, lifecycle } = parts
  const opened = await openStore({
    env,
    directory: join(options.directory, 'scm'),
    rules: scmRules,
    log,
    ...(options.place === undefined ? {} : { place: options.place }),
    cacheBytes: 16 * 1024 ** 2,
    checkpointBytes: 16 * 1024 ** 2,
    segmentBytes: scmSegmentBytes,
  })
  await lifecycle.start('scm store', { start: () => {}, stop: () => opened.close() })
  graph
    .value(SCM_ENV, env)
    .value(SCM_LOG, log.child({ service: 'scm' }))
    .value(SCM_CONFIG, {
      ...defaultScmConfig,
      containerBytes: options.settings.containerSize,
      ...keyScheduleOf(options.settings),
    })
    .value(SCM_SEALING, createKeyring({ current: options.sealingKey }, env.random))
    .value(SCM_STORE, opened.store)
  installScm(graph, { ...defaultReplicationConfig, encodeAfterMs: options.settings.encodeAfter })
  await lifecycle.start('scm', { start: () => graph.get(SCM).start(), stop: () => {} })
  return opened.member
}

/** A lead of an hour is plenty for processes that ask every quarter of it; short periods, as tests have them, have short leads. */
function keyScheduleOf({ keyRotation }: ScmSettings): KeySchedule {
  return { secretKeyPeriodMs: keyRotation, secretKeyLeadMs: Math.min(3_600_000, Math.floor(keyRotation / 4)) }
}
