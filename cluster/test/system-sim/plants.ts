/**
 * Bugs of a whole system, as somebody might write them. Each is a decorator around production code; the simulation proves
 * its worth by finding all of them.
 */

import type { Env } from '@o3/common/env'
import { isStoreError, StoreError } from '@o3/common/errors'
import type { KvStore, KvWrite } from '@o3/common/kv'
import type { OmCommand, OmReply } from '@o3/om/api'
import type { ReplicatedStore } from '@o3/ratis/api'
import type { Consensus, OpenConsensus, StateMachine } from '@o3/ratis/store'
import { plantedEnv, Planting, type PlantedCall } from '@o3/ratis/testing'
import type { ScmCommand, ScmReply } from '@o3/scm/module'
import { overriding } from './overriding.ts'
import type { SystemPlants } from './world.ts'

/** A leader applies, and so answers, what it has only proposed. */
const replyBeforeCommit =
  (open: OpenConsensus): OpenConsensus =>
  async (machine, start) => {
    let highest = 0
    const late: StateMachine = overriding(machine, {
      apply: (entries) => {
        const news = entries.filter(({ index }) => index > highest)
        highest = Math.max(highest, entries.at(-1)?.index ?? 0)
        return news.length === 0 ? undefined : machine.apply(news)
      },
    })
    const consensus = await open(late, start)
    return overriding<Consensus>(consensus, {
      propose: (payload) => {
        const index = consensus.propose(payload)
        queueMicrotask(() => {
          if (index !== highest + 1) return
          highest = index
          void machine.apply([{ index, term: consensus.term, payload }])
        })
        return index
      },
    })
  }

/** Members answer reads from what they have, and ask nobody whether that is all. */
const noBarrier =
  (open: OpenConsensus): OpenConsensus =>
  async (machine, start) =>
    overriding<Consensus>(await open(machine, start), { readBarrier: () => undefined })

const withWrites = (kv: KvStore, change: (batch: readonly KvWrite[]) => readonly KvWrite[]): KvStore =>
  overriding(kv, { write: (batch) => kv.write(change(batch)) })

const isReceiving = (batch: readonly KvWrite[]): boolean => batch.some(({ key }) => key === '\0incoming')

/** A snapshot comes without the replies that were given. */
const ledgerLeftBehind = (kv: KvStore): KvStore =>
  withWrites(kv, (batch) => (isReceiving(batch) ? batch.filter(({ key }) => !key.startsWith('\0ledger/')) : batch))

/** A snapshot comes without a row here and there. */
const rowsLeftBehind = (kv: KvStore): KvStore => {
  let seen = 0
  return withWrites(kv, (batch) =>
    isReceiving(batch) ? batch.filter(({ key }) => key < '!' || ++seen % 7 !== 0) : batch,
  )
}

/** A checkpoint that syncs nothing. */
const hollowCheckpoint = (kv: KvStore): KvStore => overriding(kv, { checkpoint: () => Promise.resolve() })

const skipping =
  (strikes: (call: PlantedCall) => boolean) =>
  (env: Env): Env =>
    plantedEnv(env, new Planting((call) => (strikes(call) ? 'skip' : 'keep')))

/** A repetition is a request like any other. */
const forgetfulOm = (store: ReplicatedStore<OmCommand, OmReply>): ReplicatedStore<OmCommand, OmReply> =>
  overriding(store, { execute: (command) => store.execute(command) })

/** What is unknown is taken for what did not happen: the blocks of the lease are granted again. */
const optimisticOm = (store: ReplicatedStore<OmCommand, OmReply>): ReplicatedStore<OmCommand, OmReply> =>
  overriding(store, {
    execute: async (command, options) => {
      try {
        return await store.execute(command, options)
      } catch (error) {
        if (command.kind === 'grant-lease' && isStoreError(error, 'OutcomeUnknown')) {
          throw new StoreError('Busy', 'it surely did not happen')
        }
        throw error
      }
    },
  })

/** SCM counts blocks in memory, beside its log: a leader goes on counting after its term. */
const countingScm = (store: ReplicatedStore<ScmCommand, ScmReply>): ReplicatedStore<ScmCommand, ScmReply> => {
  const next = new Map<number, number>()
  return overriding(store, {
    execute: async (command, options) => {
      if (command.kind !== 'allocate-blocks') return store.execute(command, options)
      const firstLocal = next.get(command.container)
      if (firstLocal === undefined) {
        const reply = await store.execute(command, options)
        if (reply.kind === 'blocks') next.set(command.container, reply.range.firstLocal + command.count)
        return reply
      }
      next.set(command.container, firstLocal + command.count)
      // It will be written down in a moment.
      store.execute(command, options).catch(() => undefined)
      return { kind: 'blocks', range: { container: command.container, firstLocal, count: command.count } }
    },
  })
}

/** Both groups, whatever their commands are. */
const both = (plants: NonNullable<SystemPlants['om'] & SystemPlants['scm']>): SystemPlants => ({
  om: plants,
  scm: plants,
})

export const plants = {
  'a reply before the commit': both({ consensus: replyBeforeCommit }),
  'reads without a barrier': both({ consensus: noBarrier }),
  'a snapshot without the ledger': both({ kv: ledgerLeftBehind }),
  'a snapshot without some rows': both({ kv: rowsLeftBehind }),
  'a checkpoint that is not durable': both({ kv: hollowCheckpoint }),
  'entries acknowledged before they are durable': both({
    env: skipping(({ site }) => site === 'log.append.before-sync'),
  }),
  'terms and votes that are forgotten': both({
    env: skipping(({ operation, path }) => operation === 'sync' && path.endsWith('hard-state')),
  }),
  'repetitions that are done again': { om: { store: forgetfulOm } },
  'leases that are granted twice': { om: { store: optimisticOm } },
  'an old leader of SCM that hands out blocks': { scm: { store: countingScm } },
} as const satisfies Readonly<Record<string, SystemPlants>>
