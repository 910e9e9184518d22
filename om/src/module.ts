/** What an OM is made of. The caller binds `OM_ENV`, `OM_LOG`, `OM_CONFIG`, `OM_SCM` and the opened `OM_STORE`. */

import type { Graph } from '@o3/common/di'
import { BlockDeletion } from './reconcilers/block-deletion.ts'
import { LeaseExpiry } from './reconcilers/lease-expiry.ts'
import { Reconcilers } from './reconcilers/reconcilers.ts'
import { Leadership } from '@o3/ratis/leadership'
import { OmService } from './service/om-service.ts'
import { OM, OM_CONFIG, OM_ENV, OM_LOG, OM_RECONCILERS, OM_SCM, OM_STORE } from './tokens.ts'

export { defaultOmConfig } from './config.ts'
export type { OmConfig } from './config.ts'
export { omRules } from './core/rules.ts'
export { Reconcilers } from './reconcilers/reconcilers.ts'
export type { Standing } from '@o3/ratis/leadership'
export { OmService } from './service/om-service.ts'
export { referencedBlocks } from './storage/referenced-blocks.ts'
export type { ReferencedBlocks } from './storage/referenced-blocks.ts'
export { OM, OM_CONFIG, OM_ENV, OM_LOG, OM_RECONCILERS, OM_SCM, OM_STORE } from './tokens.ts'

/** Binds `OM` and `OM_RECONCILERS`. Start order: store, SCM, reconcilers; `OM` itself needs no start. */
export function installOm(graph: Graph): void {
  graph.build(
    OM,
    (parts) =>
      new OmService({
        store: parts.get(OM_STORE),
        scm: parts.get(OM_SCM),
        clock: parts.get(OM_ENV).clock,
        config: parts.get(OM_CONFIG),
        log: parts.get(OM_LOG),
      }),
  )
  graph.build(OM_RECONCILERS, (parts) => {
    const env = parts.get(OM_ENV)
    const store = parts.get(OM_STORE)
    const config = parts.get(OM_CONFIG)
    const scm = parts.get(OM_SCM)
    const { clock } = env
    return new Reconcilers({
      env,
      config,
      leadership: new Leadership('OM', store),
      keys: parts.get(OM).keys,
      log: parts.get(OM_LOG),
      reconcilers: [new LeaseExpiry({ store, clock }), new BlockDeletion({ store, scm, clock, config })],
    })
  })
}
