/** SCM on its replicated store. */

import { join } from 'node:path'
import type { Graph } from '@o3/common/di'
import { SCM, SCM_CONFIG, SCM_ENV, SCM_LOG, SCM_STORE, defaultScmConfig, installScm, scmRules } from '@o3/scm/module'
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
    .value(SCM_CONFIG, { ...defaultScmConfig, containerBytes: options.settings.containerSize })
    .value(SCM_STORE, opened.store)
  installScm(graph)
  await lifecycle.start('scm', { start: () => graph.get(SCM).start(), stop: () => {} })
  return opened.member
}
