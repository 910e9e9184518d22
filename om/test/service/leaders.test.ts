import { Graph } from '@o3/common/di'
import { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import { SimulatedStore } from '@o3/ratis/testing'
import { describe, expect, test } from 'vitest'
import { ScriptedGroup } from '@o3/ratis/testing'
import type { Lease, OmClient, OmCommand, OmReply } from '../../src/api/api.ts'
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
import type { OmService } from '../../src/module.ts'
import { bucketRef, commitBlocks, commitInline, createBucket, createVolume, keyRef } from '../fixtures/commands.ts'
import { proven } from '../fixtures/keys.ts'
import { CountingScm } from '../fixtures/pure-om.ts'

const config = { ...defaultOmConfig, leaseDurationMs: 10_000, blockDeletionDelayMs: 60_000 }
const ids = ['a', 'b', 'c'] as const
type MemberId = (typeof ids)[number]

interface Members {
  readonly group: ScriptedGroup<OmCommand, OmReply>
  readonly scm: CountingScm
  /** Warnings and errors of all members. */
  readonly alarms: string[]
  at(id: MemberId): OmService
  sleep(ms: number): Promise<void>
}

/** Three members of OM with their reconcilers running, on one clock; `a` leads, and there is a bucket. */
function withMembers(script: (members: Members) => Promise<void>): Promise<void> {
  const machine = new SimulatedStore<OmCommand, OmReply>(omRules, { seed: 'three members' })
  return machine.run(async () => {
    const scm = new CountingScm()
    const group = new ScriptedGroup(machine.store)
    const alarms: string[] = []
    const graphs = new Map(ids.map((id) => [id, compose(id)]))
    function compose(id: MemberId): Graph {
      const note = (_: unknown, message: string): void => void alarms.push(`${id}: ${message}`)
      const log: Logger = { debug: () => {}, info: () => {}, warn: note, error: note, child: () => log }
      const graph = new Graph().value(OM_ENV, machine.node.process).value(OM_LOG, log).value(OM_CONFIG, config)
      graph.value(OM_STORE, group.member(id)).value(OM_SCM, scm)
      installOm(graph)
      graph.get(OM_RECONCILERS).start()
      return graph
    }
    const at = (id: MemberId): OmService => graphs.get(id)!.get(OM)
    group.elect('a')
    await at('a').execute(createVolume)
    await at('a').execute(createBucket)
    await script({ group, scm, alarms, at, sleep: (ms) => machine.simulation.clock.sleep(ms) })
    await Promise.all([...graphs.values()].map((graph) => graph.get(OM_RECONCILERS).stop()))
    await machine.store.close()
  })
}

const code = (expected: string) => expect.objectContaining({ code: expected }) as Error
const take = (om: OmClient, requestId?: string): Promise<Lease> =>
  om.leaseBlocks({ holder: 'g', count: 4, replication: 'RATIS/ONE' }, requestId === undefined ? {} : { requestId })
const block = (local: number) => proven({ block: { container: 7, local }, length: 10 })

describe('a member that follows', () => {
  test('answers reads of what the leader has just done, from one moment', () =>
    withMembers(async ({ at }) => {
      await at('a').execute(commitInline('a/b/c', [1, 2, 3]))
      expect(await at('b').getKey(keyRef('a/b/c'))).toMatchObject({ size: 3 })
      expect(await at('b').getBucket(bucketRef)).toMatchObject({ usage: { keys: 1 } })
      expect(await at('b').lookupRows({ places: [bucketRef], key: keyRef('a/b/c') })).toEqual({
        places: [
          {
            volume: { kind: 'row', row: await at('a').getVolume('vol') },
            bucket: { kind: 'row', row: await at('a').getBucket(bucketRef) },
          },
        ],
        key: { kind: 'row', row: await at('a').getKey(keyRef('a/b/c')) },
      })
      await expect(Promise.resolve(at('b').getKey(keyRef('a/b')))).rejects.toThrow(code('KeyNotFound'))
      await at('a').execute(commitInline('a/b/c', [1, 2, 3, 4]))
      expect(await at('b').getKey(keyRef('a/b/c'))).toMatchObject({ size: 4 })
    }))

  test('refuses what changes something, and asks SCM for nothing', () =>
    withMembers(async ({ at, scm }) => {
      await expect(at('b').execute(createVolume)).rejects.toThrow(code('NotLeader'))
      await expect(take(at('b'))).rejects.toMatchObject({ code: 'NotLeader', details: { leader: 'a' } })
      expect(scm.allocations).toBe(0)
    }))

  test('refuses what is meant for another term, and asks SCM for nothing', () =>
    withMembers(async ({ group, at, scm }) => {
      group.elect('b')
      group.elect('a')
      const refused = { code: 'NotLeader', details: { leader: 'a', term: 3 } }
      const wanted = { holder: 'g', count: 1, replication: 'RATIS/ONE' } as const
      await expect(at('a').leaseBlocks(wanted, { requestId: 'r', term: 1 })).rejects.toMatchObject(refused)
      await expect(at('a').execute(createVolume, { requestId: 's', term: 1 })).rejects.toMatchObject(refused)
      expect(scm.allocations).toBe(0)
      expect((await at('a').leaseBlocks(wanted, { requestId: 'r', term: 3 })).holder).toBe('g')
    }))

  test('refuses reads while nobody leads, and says where it stands', () =>
    withMembers(async ({ group, at }) => {
      expect(at('b').standing()).toEqual({ kind: 'follows', term: 1, leader: 'a' })
      expect(at('a').standing()).toEqual({ kind: 'leads', term: 1 })
      group.depose()
      await expect(at('b').getVolume('vol')).rejects.toThrow(code('NotLeader'))
      await expect(at('b').lookupRows({ places: [bucketRef] })).rejects.toThrow(code('NotLeader'))
      expect(at('b').standing()).toEqual({ kind: 'seeks', term: 2 })
    }))
})

describe('a leader that was deposed and does not know it', () => {
  test('answers nothing from memory', () =>
    withMembers(async ({ group, at, sleep }) => {
      await at('a').execute(commitInline('k', [1]))
      expect(at('a').getKey(keyRef('k'))).toMatchObject({ size: 1 })
      group.elect('b', 'unaware')
      await at('b').execute(commitInline('k', [1, 2]))
      const read = Promise.resolve(at('a').getKey(keyRef('k')))
      const refused = expect(read).rejects.toThrow(code('NotLeader'))
      const alsoRefused = expect(at('a').lookupRows({ places: [bucketRef] })).rejects.toThrow(code('NotLeader'))
      await sleep(1_000)
      group.enlighten('a')
      await refused
      await alsoRefused
      expect(await at('a').getKey(keyRef('k'))).toMatchObject({ size: 2 })
    }))
})

describe('leases', () => {
  test('of members that lead in turn never share a block, and a stock is used up by who took it', () =>
    withMembers(async ({ group, at, scm }) => {
      const leases: Lease[] = [await take(at('a'))]
      group.elect('b')
      leases.push(await take(at('b')))
      group.elect('a')
      leases.push(await take(at('a')))
      expect(scm.allocations).toBe(2)
      const blocks = leases.flatMap(({ ranges }) =>
        ranges.flatMap(({ firstLocal, count }) => Array.from({ length: count }, (_, n) => firstLocal + n)),
      )
      expect(new Set(blocks).size).toBe(12)
    }))

  test('a stock that is too old is dropped by a member that leads again', () =>
    withMembers(async ({ group, at, scm, sleep }) => {
      await take(at('a'))
      group.elect('b')
      await sleep(config.stockMaxAgeMs + 1)
      group.elect('a')
      await take(at('a'))
      expect(scm.allocations).toBe(2)
    }))

  test('of an unknown outcome keep their blocks; the repetition at the next leader gets one lease', () =>
    withMembers(async ({ group, at }) => {
      for (const fate of ['applied', 'dropped'] as const) {
        group.elect('a')
        const before = await take(at('a'))
        group.intercept = (_, { kind }) => {
          if (kind !== 'grant-lease') return undefined
          group.intercept = undefined
          group.elect('b')
          return fate
        }
        await expect(take(at('a'), fate)).rejects.toThrow(code('OutcomeUnknown'))
        const repeated = await take(at('b'), fate)
        expect(await take(at('b'), fate)).toEqual(repeated)
        group.elect('a')
        const after = await take(at('a'))
        const firsts = [before, repeated, after].map(({ ranges }) => ranges[0]?.firstLocal)
        expect(new Set(firsts).size).toBe(3)
      }
    }))
})

describe('reconcilers', () => {
  test('rest at followers, and nobody is alarmed', () =>
    withMembers(async ({ group, at, scm, alarms, sleep }) => {
      await take(at('a'))
      const before = group.executed.length
      await sleep(300_000)
      const done = group.executed.slice(before)
      expect(done.map(({ command }) => command.kind)).toEqual(['end-lease', 'purge-deleted-blocks'])
      expect(done.map(({ id }) => id)).toEqual(['a', 'a'])
      expect(scm.deleted).toHaveLength(1)
      expect(alarms).toEqual([])
    }))

  test('go on at the new leader', () =>
    withMembers(async ({ group, at, scm, alarms, sleep }) => {
      const { id } = await take(at('a'))
      await at('a').execute(commitBlocks('key', id, [block(2)]))
      group.elect('b')
      await sleep(12_000)
      group.elect('c')
      await sleep(62_000)
      expect(group.executed.slice(-2)).toMatchObject([
        { id: 'b', command: { kind: 'end-lease' } },
        { id: 'c', command: { kind: 'purge-deleted-blocks' } },
      ])
      expect(scm.deleted).toEqual([
        { container: 7, firstLocal: 1, count: 1 },
        { container: 7, firstLocal: 3, count: 2 },
      ])
      expect(await at('a').audit()).toEqual([])
      expect(alarms).toEqual([])
    }))

  test('a round that the end of the term cut off is no failure', () =>
    withMembers(async ({ group, at, scm, alarms, sleep }) => {
      await take(at('a'))
      group.intercept = (_, { kind }) => {
        if (kind !== 'end-lease' && kind !== 'purge-deleted-blocks') return undefined
        group.elect(group.isLeading('a') ? 'b' : 'a')
        return group.executed.length % 2 === 0 ? 'applied' : 'dropped'
      }
      await sleep(80_000)
      group.intercept = undefined
      await sleep(80_000)
      expect(scm.deleted.length).toBeGreaterThanOrEqual(1)
      expect(alarms).toEqual([])
    }))

  test('nobody is alarmed while there is no leader, or one that does not know that it is none', () =>
    withMembers(async ({ group, at, alarms, sleep }) => {
      await take(at('a'))
      group.depose('unaware')
      await sleep(100_000)
      group.enlighten('a')
      await sleep(100_000)
      group.elect('c')
      await sleep(100_000)
      expect(group.executed.at(-1)).toMatchObject({ id: 'c', command: { kind: 'purge-deleted-blocks' } })
      expect(alarms).toEqual([])
    }))

  test('in a new term do not wait for the failures of an old one', () =>
    withMembers(async ({ group, at, scm, alarms, sleep }) => {
      await take(at('a'))
      scm.failure = new StoreError('Unavailable', 'SCM is away')
      await sleep(400_000)
      // Its pause has grown to a minute.
      expect(alarms.length).toBeGreaterThan(5)
      scm.failure = undefined
      group.elect('a')
      await sleep(2 * config.reconcileIntervalMs)
      expect(scm.deleted).toHaveLength(1)
    }))
})
