/** SCM on its replicated store. */

import { join } from 'node:path'
import type { Graph } from '@o3/common/di'
import { SCM, SCM_CONFIG, SCM_ENV, SCM_LOG, SCM_STORE, defaultScmConfig, installScm, scmRules } from '@o3/scm/module'
import type { ProcessParts } from '../process/running-process.ts'
import type { ScmSettings } from '../settings.ts'
import { openStore } from '../stores.ts'

/** SCM writes little; a short log file makes the first start quick. */
const segmentBytes = 8 * 1024 ** 2

export interface ScmOptions {
  /** The store is in `scm` of it. */
  readonly directory: string
  readonly settings: ScmSettings
}

/** Binds `SCM` and `SCM_STORE`, started. */
export async function startScm(graph: Graph, parts: ProcessParts, options: ScmOptions): Promise<void> {
  const { env, log, lifecycle } = parts
  const opened = await openStore({
    env,
    directory: join(options.directory, 'scm'),
    rules: scmRules,
    log,
    cacheBytes: 16 * 1024 ** 2,
    checkpointBytes: 16 * 1024 ** 2,
    segmentBytes,
  })
  await lifecycle.start('scm store', { start: () => {}, stop: () => opened.close() })
  graph
    .value(SCM_ENV, env)
    .value(SCM_LOG, log.child({ service: 'scm' }))
    .value(SCM_CONFIG, { ...defaultScmConfig, containerBytes: options.settings.containerSize })
    .value(SCM_STORE, opened.store)
  installScm(graph)
  await lifecycle.start('scm', { start: () => graph.get(SCM).start(), stop: () => {} })
}
