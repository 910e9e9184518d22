import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BinaryKey, KvStore, KvWrite } from '@o3/common/kv'
import { plantedEnv, Planting, type Plant, type PlantedCall } from '../../src/testing/planted-env.ts'
import { storeSteps } from './store-steps.ts'
import { StoreTrial, type StoreTrialOptions } from './store-trial.ts'

/** How many programs the suite may need to find a bug. */
const budget = 200

const onDisk = (choose: (call: PlantedCall) => Plant): Omit<StoreTrialOptions, 'seed'> => {
  const planting = new Planting(choose)
  return { plantEnv: (env) => plantedEnv(env, planting) }
}

/** The key-value store with some of its methods replaced. */
const onKv = (replace: (kv: KvStore) => Partial<KvStore>): Omit<StoreTrialOptions, 'seed'> => ({
  plantKv: (kv) => {
    const whole: KvStore = {
      get: (key) => kv.get(key),
      getMany: (keys) => kv.getMany(keys),
      cursor: (range) => kv.cursor(range),
      write: (batch) => kv.write(batch),
      snapshot: () => kv.snapshot(),
      checkpoint: () => kv.checkpoint(),
      close: () => kv.close(),
    }
    return { ...whole, ...replace(kv) }
  },
})

const writing = (change: (batch: readonly KvWrite[]) => readonly KvWrite[]) =>
  onKv((kv) => ({ write: (batch) => kv.write(change(batch)) }))

const isLedgerRow = (key: BinaryKey): boolean => key.startsWith('\0ledger')
const isAppliedRow = (key: BinaryKey): boolean => key === '\0applied'

const bugs: readonly (readonly [string, () => Omit<StoreTrialOptions, 'seed'>])[] = [
  [
    'replies go out before the log is synced',
    () =>
      onDisk(({ operation, site }) => (operation === 'sync' && site === 'log.append.before-sync' ? 'early' : 'keep')),
  ],
  [
    'the log is never synced',
    () =>
      onDisk(({ operation, site }) => (operation === 'sync' && site === 'log.append.before-sync' ? 'skip' : 'keep')),
  ],
  ['the log is cut without a checkpoint of the rows', () => onKv(() => ({ checkpoint: () => Promise.resolve() }))],
  [
    'the log is cut while the checkpoint still runs',
    () =>
      onKv((kv) => ({
        checkpoint: () => {
          void kv.checkpoint()
          return Promise.resolve()
        },
      })),
  ],
  ['checkpoints forget the answered requests', () => writing((batch) => batch.filter(({ key }) => !isLedgerRow(key)))],
  ['the applied index is not written', () => writing((batch) => batch.filter(({ key }) => !isAppliedRow(key)))],
  ['deletes do not reach the rows', () => writing((batch) => batch.filter(({ kind }) => kind === 'put'))],
  [
    'writes to the rows resolve before they are done',
    () =>
      onKv((kv) => ({
        write: (batch) => {
          void kv.write(batch)
          return Promise.resolve()
        },
      })),
  ],
]

test.each(bugs)(
  'is found: %s',
  async (_, plant) => {
    const result = await fc.check(
      fc.asyncProperty(fc.integer(), storeSteps, (seed, steps) => new StoreTrial({ seed, ...plant() }).run(steps)),
      { numRuns: budget, endOnFailure: true, seed: 1 },
    )
    expect(result.failed).toBe(true)
  },
  100_000,
)
