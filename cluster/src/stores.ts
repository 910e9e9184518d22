/** Opens the replicated stores of OM and SCM in the data directory, each with its key-value store. */

import type { Env } from '@o3/common/env'
import type { KvStore } from '@o3/common/kv'
import { openLevelKv } from '@o3/common/kv/level'
import type { Logger } from '@o3/common/logger'
import type { ReplicatedStore, StoreRules } from '@o3/ratis/api'
import { openReplicatedStore } from '@o3/ratis/store'
import type { StoreEvent } from '@o3/ratis/store'

export interface StoreOptions<Command, Reply> {
  readonly env: Env
  readonly directory: string
  readonly rules: StoreRules<Command, Reply>
  readonly log: Logger
  readonly cacheBytes: number
  readonly checkpointBytes: number
  readonly segmentBytes: number
  /** Beside the log. */
  readonly observe?: (event: StoreEvent) => void
}

export interface OpenedStore<Command, Reply> {
  readonly store: ReplicatedStore<Command, Reply>
  close(): Promise<void>
}

/** `db` is the key-value store, `log` the Raft log. Nothing stays open when it rejects. */
export async function openStore<Command, Reply>(
  options: StoreOptions<Command, Reply>,
): Promise<OpenedStore<Command, Reply>> {
  const { env, directory, rules, log, cacheBytes, checkpointBytes, segmentBytes } = options
  await env.disk.makeDirectory(`${directory}/db`)
  await env.disk.syncDirectory(directory)
  const openKv = (): Promise<KvStore> => openLevelKv(`${directory}/db`, { cacheBytes: cacheBytes / 2 })
  let kv = await openKv()
  try {
    const store = await openReplicatedStore({
      env,
      directory,
      rules,
      kv,
      // LevelDB takes no more writes once a full disk has refused one; the store closes it and goes on with another.
      reopenKv: async () => {
        kv = await openKv()
        return kv
      },
      cacheBytes,
      log: { segmentBytes },
      checkpoint: { everyLogBytes: checkpointBytes },
      observe: (event) => {
        log.info({ store: rules.name, ...event }, `store ${event.kind}`)
        options.observe?.(event)
      },
    })
    const close = async (): Promise<void> => {
      await store.close()
      await kv.close()
    }
    return { store, close }
  } catch (error) {
    await kv.close()
    throw error
  }
}
