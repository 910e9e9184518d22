/** OM on its replicated store. */

import { join } from 'node:path'
import type { Graph } from '@o3/common/di'
import { OM_CONFIG, OM_ENV, OM_LOG, OM_RECONCILERS, OM_STORE, defaultOmConfig, installOm, omRules } from '@o3/om/module'
import type { Consensus } from '@o3/ratis/node'
import type { ProcessParts } from '../process/running-process.ts'
import type { OmSettings } from '../settings.ts'
import { openStore } from '../stores.ts'
import type { GroupPlace } from '../stores.ts'

export interface OmOptions {
  /** The store is in `om` of it. */
  readonly directory: string
  readonly settings: OmSettings
  /** Of a store that is one of several. */
  readonly place?: GroupPlace
}

/** Binds `OM` and `OM_STORE`, started. Resolves with the member of the group, for one that has a place. The caller binds `OM_SCM`. */
export async function startOm(graph: Graph, parts: ProcessParts, options: OmOptions): Promise<Consensus | undefined> {
  const { env, log, lifecycle } = parts
  const { settings } = options
  const opened = await openStore({
    env,
    directory: join(options.directory, 'om'),
    rules: omRules,
    log,
    ...(options.place === undefined ? {} : { place: options.place }),
    cacheBytes: settings.cache,
    checkpointBytes: settings.checkpoint,
    segmentBytes: settings.segment,
  })
  await lifecycle.start('om store', { start: () => {}, stop: () => opened.close() })
  graph
    .value(OM_ENV, env)
    .value(OM_LOG, log.child({ service: 'om' }))
    .value(OM_CONFIG, { ...defaultOmConfig, blockDeletionDelayMs: settings.deletionDelay })
    .value(OM_STORE, opened.store)
  installOm(graph)
  const reconcilers = graph.get(OM_RECONCILERS)
  await lifecycle.start('om reconcilers', { start: () => reconcilers.start(), stop: () => reconcilers.stop() })
  return opened.member
}
