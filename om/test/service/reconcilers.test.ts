import { Graph } from '@o3/common/di'
import { StoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import { SimulatedStore } from '@o3/ratis/testing'
import { describe, expect, test } from 'vitest'
import type { Lease, OmCommand, OmReply } from '../../src/api/api.ts'
import {
  defaultOmConfig,
  installOm,
  OM,
  OM_CONFIG,
  OM_ENV,
  OM_LOG,
  OM_RECONCILERS,
  OM_SCM,
  OM_STORE,
  omRules,
} from '../../src/module.ts'
import type { OmService, Reconcilers } from '../../src/module.ts'
import { commitBlocks, createBucket, createVolume, keyRef } from '../fixtures/commands.ts'
import { proven } from '../fixtures/keys.ts'
import { CountingScm } from '../fixtures/pure-om.ts'

const config = { ...defaultOmConfig, leaseDurationMs: 10_000, blockDeletionDelayMs: 60_000 }

interface Running {
  readonly om: OmService
  readonly scm: CountingScm
  readonly reconcilers: Reconcilers
  readonly machine: SimulatedStore<OmCommand, OmReply>
  sleep(ms: number): Promise<void>
}

/** An OM as composition makes it, with its reconcilers running, in virtual time. */
function running(script: (parts: Running) => Promise<void>): Promise<void> {
  const machine = new SimulatedStore<OmCommand, OmReply>(omRules, { seed: 1 })
  return machine.run(async () => {
    const scm = new CountingScm()
    const graph = new Graph()
    graph.value(OM_ENV, machine.node.process).value(OM_LOG, nullLogger).value(OM_CONFIG, config)
    graph.value(OM_STORE, machine.store).value(OM_SCM, scm)
    installOm(graph)
    for (const token of graph.tokens()) graph.get(token)
    const om = graph.get(OM)
    const reconcilers = graph.get(OM_RECONCILERS)
    reconcilers.start()
    await om.execute(createVolume)
    await om.execute(createBucket)
    await script({ om, scm, reconcilers, machine, sleep: (ms) => machine.simulation.clock.sleep(ms) })
    expect(await om.audit()).toEqual([])
    await reconcilers.stop()
    await reconcilers.stop()
    await machine.store.close()
  })
}

const take = (om: OmService): Promise<Lease> => om.leaseBlocks({ holder: 'g', count: 4, replication: 'RATIS/ONE' })
const block = (local: number) => proven({ block: { container: 7, local }, length: 10 })
const remove = (key: string): OmCommand => ({ kind: 'delete-key', ...keyRef(key), preconditions: {} })

describe('blocks', () => {
  test('that a lease leaves uncommitted go to SCM, after the time for readers', () =>
    running(async ({ om, scm, sleep }) => {
      const { id } = await take(om)
      await om.execute(commitBlocks('key', id, [block(2)]))
      await sleep(12_000)
      await expect(om.execute(commitBlocks('late', id, [block(1)]))).rejects.toThrow(
        expect.objectContaining({ code: 'LeaseExpired' }) as Error,
      )
      expect(scm.deleted).toEqual([])
      await sleep(62_000)
      expect(scm.deleted).toEqual([
        { container: 7, firstLocal: 1, count: 1 },
        { container: 7, firstLocal: 3, count: 2 },
      ])
    }))

  test('of a key that was deleted go to SCM once', () =>
    running(async ({ om, scm, sleep }) => {
      const { id } = await take(om)
      await om.execute(commitBlocks('key', id, [block(1), block(2)]))
      await om.execute(remove('key'))
      await sleep(59_000)
      const early = scm.deleted.filter(({ firstLocal }) => firstLocal < 3)
      expect(early).toEqual([])
      await sleep(60_000)
      expect(scm.deleted.filter(({ firstLocal }) => firstLocal < 3)).toEqual([
        { container: 7, firstLocal: 1, count: 2 },
      ])
    }))

  test('that a copy still names do not', () =>
    running(async ({ om, scm, sleep }) => {
      const { id } = await take(om)
      const reply = await om.execute(commitBlocks('key', id, [block(1)]))
      const sourceUpdateId = reply.kind === 'key' ? reply.updateId : 0
      const content = { kind: 'copy', source: keyRef('key'), sourceUpdateId, range: { offset: 3, length: 4 } } as const
      await om.execute({ ...commitBlocks('copy', 0, []), size: 4, content })
      await om.execute(remove('key'))
      await sleep(100_000)
      expect(scm.deleted.filter(({ firstLocal }) => firstLocal === 1)).toEqual([])
      await om.execute(remove('copy'))
      await sleep(100_000)
      expect(scm.deleted.filter(({ firstLocal }) => firstLocal === 1)).toHaveLength(1)
    }))

  test('wait while SCM is away, and none is forgotten', () =>
    running(async ({ om, scm, sleep }) => {
      const { id } = await take(om)
      await om.execute(commitBlocks('key', id, [block(1)]))
      await om.execute(remove('key'))
      scm.failure = new StoreError('Unavailable', 'SCM is away')
      await sleep(300_000)
      expect(scm.deleted).toEqual([])
      scm.failure = undefined
      await sleep(120_000)
      const locals = scm.deleted.flatMap(({ firstLocal, count }) =>
        Array.from({ length: count }, (_, i) => firstLocal + i),
      )
      expect(locals.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4])
    }))

  test('of a lease that is renewed stay', () =>
    running(async ({ om, scm, sleep }) => {
      const { id } = await take(om)
      for (let i = 0; i < 20; i++) {
        await sleep(5_000)
        await om.execute({ kind: 'renew-lease', lease: id, durationMs: 10_000 })
      }
      await om.execute(commitBlocks('key', id, [block(1)]))
      expect(scm.deleted).toEqual([])
    }))
})
