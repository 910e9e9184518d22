/**
 * Opens the replicated stores of OM and SCM: the rows, in one key-value store or (after a snapshot was received) in
 * another, and the log. A store is the only one of its kind, or a member of a group.
 */

import type { Disk, Env } from '@o3/common/env'
import type { StoreError } from '@o3/common/errors'
import type { KvStore } from '@o3/common/kv'
import { openLevelKv } from '@o3/common/kv/level'
import type { Logger } from '@o3/common/logger'
import type { ReplicatedStore, StoreRules } from '@o3/ratis/api'
import type { Configuration, RaftTransport } from '@o3/ratis/node'
import { openReplicatedStore, raftMember } from '@o3/ratis/store'
import type { Consensus, KvPlaces, OpenConsensus, StoreEvent } from '@o3/ratis/store'
import { othersHaveIt, setAside } from './damaged-state.ts'
import { watchedKv } from './watched-kv.ts'

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
  /** Its place in a group. Default: the store is the only one. */
  readonly place?: GroupPlace
}

/** A member of a group, as its store is opened. Its log exists, or has existed: one that is blank was lost. */
export interface GroupPlace {
  readonly id: string
  /** Names the group on the transport. */
  readonly group: string
  /** The caller closes it, after the store. */
  readonly transport: RaftTransport
  /** The group as it began; undefined: the member waits until the group takes it in. */
  readonly bootstrap: Configuration | undefined
  /**
   * `alone`: what log and rows have lost is lost, and the store does not open (`Damaged`). `others`: they have it, too; the
   * member takes part without a vote until it has it back.
   */
  readonly company: 'alone' | 'others'
  /** Told of each read or write that finds the key-value store damaged while it serves. */
  readonly onDamage?: (error: StoreError) => void
}

export interface OpenedStore<Command, Reply> {
  readonly store: ReplicatedStore<Command, Reply>
  /** Of a store that has a place in a group: its member, which drives it. */
  readonly member: Consensus | undefined
  close(): Promise<void>
}

/**
 * `db` (later `db.1`, …) is the key-value store, `log` the Raft log. Nothing stays open when it rejects. A state that is
 * damaged, and that others have, is kept aside, and the member begins anew.
 */
export async function openStore<Command, Reply>(
  options: StoreOptions<Command, Reply>,
): Promise<OpenedStore<Command, Reply>> {
  const { place } = options
  if (place === undefined) return openState(options)
  let isServing = false
  const onDamage = (error: StoreError): void => {
    // What a start finds is kept aside, and damaged no more.
    if (isServing) place.onDamage?.(error)
  }
  const opened = await openWithOthers({ ...options, place: { ...place, onDamage } })
  isServing = true
  return opened
}

async function openWithOthers<Command, Reply>(
  options: StoreOptions<Command, Reply> & { readonly place: GroupPlace },
): Promise<OpenedStore<Command, Reply>> {
  const { env, directory, log, place } = options
  try {
    return await openState(options)
  } catch (error) {
    if (!othersHaveIt(place, error)) throw error
    const aside = await setAside(env.disk, directory)
    log.error({ error, aside }, 'the state is damaged: it is kept aside, and comes back from the others')
    // As it began is not as it is; the others say.
    return openState({ ...options, place: { ...place, bootstrap: undefined } })
  }
}

async function openState<Command, Reply>(options: StoreOptions<Command, Reply>): Promise<OpenedStore<Command, Reply>> {
  const { env, directory, rules, log, cacheBytes, checkpointBytes, segmentBytes, place } = options
  const logger = log.child({ store: rules.name })
  let member: Consensus | undefined
  const remember =
    (open: OpenConsensus): OpenConsensus =>
    async (machine, start) => {
      member = await open(machine, start)
      return member
    }
  const store: ReplicatedStore<Command, Reply> = await openReplicatedStore({
    env,
    directory,
    rules,
    kv: levelPlaces(env.disk, { directory, cacheBytes: cacheBytes / 2, onDamage: place?.onDamage }),
    cacheBytes,
    log: { segmentBytes },
    ...(place === undefined ? {} : { consensus: remember(memberIn(place, options, logger)) }),
    checkpoint: { everyLogBytes: checkpointBytes },
    observe: (event) => {
      logger.info({ ...event }, `store ${event.kind}`)
      options.observe?.(event)
    },
  })
  return { store, member, close: () => store.close() }
}

function memberIn<Command, Reply>(
  { id, group, transport, bootstrap, company }: GroupPlace,
  { env, directory, segmentBytes }: StoreOptions<Command, Reply>,
  logger: Logger,
): OpenConsensus {
  return raftMember({
    env,
    id,
    group,
    directory: `${directory}/log`,
    log: { segmentBytes, onDamage: company === 'alone' ? 'refuse' : 'repair', expectExisting: true },
    transport,
    ...(bootstrap === undefined ? {} : { bootstrap }),
    logger,
  })
}

/** LevelDB takes no more writes once a full disk has refused one, so the store opens and closes them as it needs. */
function levelPlaces(
  disk: Disk,
  parts: { readonly directory: string; readonly cacheBytes: number; readonly onDamage: GroupPlace['onDamage'] },
): KvPlaces {
  const { directory, cacheBytes, onDamage } = parts
  return {
    async open(name): Promise<KvStore> {
      await disk.makeDirectory(`${directory}/${name}`)
      await disk.syncDirectory(directory)
      const kv = await openLevelKv(`${directory}/${name}`, { cacheBytes })
      return onDamage === undefined ? kv : watchedKv(kv, onDamage)
    },
    async remove(name) {
      const path = `${directory}/${name}`
      if ((await disk.stat(path)) === undefined) return
      for (const file of await disk.list(path)) await disk.remove(`${path}/${file}`)
      await disk.remove(path)
    },
  }
}
