import { Graph } from '@o3/common/di'
import { StoreError } from '@o3/common/errors'
import { describe, expect, test } from 'vitest'
import {
  HDDS_CONFIG,
  HDDS_DATANODE,
  HDDS_ENV,
  HDDS_LOG,
  HDDS_RECONCILERS,
  HDDS_SCM,
  installHdds,
} from '../../src/module.ts'
import type { LocalDatanode, Reconcilers } from '../../src/module.ts'
import { patternOf } from '../harness/bytes.ts'
import { Machine, smallConfig } from '../harness/machine.ts'
import { notedLog } from '../harness/noted-log.ts'
import { ScriptedScm } from '../harness/scripted-scm.ts'

const content = patternOf(1, 20_000)
const block = (local: number, container = 1) => ({ container, local })

interface Parts {
  readonly datanode: LocalDatanode
  /** a leads in term 5, b and c follow. */
  readonly scms: readonly [a: ScriptedScm, b: ScriptedScm, c: ScriptedScm]
  readonly alarms: readonly string[]
  readonly reconcilers: Reconcilers
  pass(ms: number): Promise<void>
}

/** A datanode with its maintenance running, and the three members of SCM. */
async function withMembers(script: (parts: Parts) => Promise<void>): Promise<void> {
  const machine = new Machine({ seed: 'members' })
  const { log, alarms } = notedLog()
  await machine.run(async () => {
    const datanode = await machine.start()
    const scms = [new ScriptedScm(), new ScriptedScm(), new ScriptedScm()] as const
    scms[0].term = 5
    scms[1].term = undefined
    scms[2].term = undefined
    const graph = new Graph()
      .value(HDDS_ENV, machine.env)
      .value(HDDS_LOG, log)
      .value(HDDS_CONFIG, smallConfig)
      .value(HDDS_SCM, scms[0])
      .value(HDDS_DATANODE, datanode)
    installHdds(graph, { scmMembers: scms.map((scm, n) => ({ id: `scm${n + 1}`, scm })) })
    const reconcilers = graph.get(HDDS_RECONCILERS)
    reconcilers.start()
    const { clock } = machine.simulation
    await script({ datanode, scms, alarms, reconcilers, pass: (ms) => clock.sleep(ms) })
    const beforeMs = clock.monotonicMs()
    await reconcilers.stop()
    // Also when a member never answers.
    expect(clock.monotonicMs() - beforeMs).toBeLessThan(1_000)
    await datanode.close()
  })
}

const ids = (datanode: LocalDatanode): readonly number[] => datanode.containers().map(({ id }) => id)

describe('a datanode and three members of SCM', () => {
  test('all of them are told everything, and nobody is alarmed', () =>
    withMembers(async ({ datanode, scms, alarms, pass }) => {
      await pass(500)
      await datanode.writeBlock(block(1), [content])
      await pass(5_000)
      for (const scm of scms) {
        expect(scm.registrations).toMatchObject([{ id: 'dn-1', disks: [{ state: 'healthy' }] }])
        expect(scm.heartbeats.length).toBeGreaterThanOrEqual(4)
        expect(scm.heartbeats.every(({ full }) => !full)).toBe(true)
      }
      await datanode.writeBlock(block(1, 2), [content])
      await pass(1_100)
      for (const scm of scms) expect(scm.heartbeats.at(-1)).toMatchObject({ full: false, containers: [{ id: 2 }] })
      expect(alarms).toEqual([])
    }))

  test('one that joins later is told everything, and one that leaves nothing more', () =>
    withMembers(async ({ datanode, scms, alarms, reconcilers, pass }) => {
      await datanode.writeBlock(block(1), [content])
      await pass(2_000)
      const fourth = new ScriptedScm()
      fourth.term = undefined
      reconcilers.addScmMember({ id: 'scm4', scm: fourth })
      await pass(2_500)
      expect(fourth.registrations).toMatchObject([{ id: 'dn-1', containers: [{ id: 1 }] }])
      expect(fourth.heartbeats.length).toBeGreaterThanOrEqual(1)
      await reconcilers.removeScmMember('scm2')
      await reconcilers.removeScmMember('scm9')
      const before = scms[1].heartbeats.length
      await pass(5_000)
      expect(scms[1].heartbeats).toHaveLength(before)
      expect(alarms).toEqual([])
    }))

  test('what is asked by one that does not lead is not done', () =>
    withMembers(async ({ datanode, scms, pass }) => {
      scms[0].commands = [{ kind: 'create-container', container: 7 }]
      scms[1].commands = [{ kind: 'create-container', container: 8 }]
      await pass(5_000)
      expect(ids(datanode)).toEqual([7])
    }))

  test('a full report that a follower asks for is for that one', () =>
    withMembers(async ({ datanode, scms, pass }) => {
      await datanode.writeBlock(block(1), [content])
      await pass(1_500)
      scms[1].commands = [{ kind: 'full-report' }]
      await pass(1_000)
      scms[1].commands = []
      await pass(1_000)
      expect(scms[1].heartbeats.filter(({ full }) => full)).toHaveLength(1)
      expect(scms[0].heartbeats.filter(({ full }) => full)).toHaveLength(0)
    }))

  test('the commands of a leader that was deposed are refused, those of its successor done', () =>
    withMembers(async ({ datanode, scms, alarms, pass }) => {
      await pass(500)
      scms[1].term = 7
      scms[1].commands = [{ kind: 'create-container', container: 71 }]
      await pass(1_100)
      // It does not know yet, and wants something new.
      scms[0].commands = [{ kind: 'create-container', container: 50 }]
      await pass(3_000)
      expect(ids(datanode)).toEqual([71])
      scms[0].term = 8
      await pass(1_100)
      expect(ids(datanode)).toEqual([71, 50])
      expect(alarms).toEqual([])
    }))

  test('a deletion is told to all until a leader has written it down', () =>
    withMembers(async ({ datanode, scms, pass }) => {
      await datanode.writeBlock(block(1), [content])
      const deletion = { transaction: 40, blocks: [{ container: 1, firstLocal: 1, count: 1 }] }
      scms[0].commands = [{ kind: 'delete-blocks', ...deletion }]
      await pass(1_100)
      // It asked, and is deposed before it hears of the result; for a while nobody leads.
      scms[0].commands = []
      scms[0].term = undefined
      await pass(3_000)
      const told = (scm: ScriptedScm) => scm.heartbeats.at(-1)?.deletedTransactions
      expect(scms.map(told)).toEqual([[40], [40], [40]])
      scms[2].term = 6
      await pass(2_100)
      expect(scms.map(told)).toEqual([[], [], []])
    }))

  test('one that does not know the datanode is registered with at once', () =>
    withMembers(async ({ scms, pass }) => {
      await pass(500)
      scms[2].commands = [{ kind: 'register' }]
      await pass(3_000)
      expect(scms.map(({ registrations }) => registrations.length)).toEqual([1, 1, 2])
    }))

  test('one that hangs, and one that is gone, delay nobody; they are told all when they are back', () =>
    withMembers(async ({ datanode, scms, alarms, pass }) => {
      await datanode.writeBlock(block(1), [content])
      await pass(1_500)
      const [a, b, c] = scms
      const before = a.heartbeats.length
      const hanging = Promise.withResolvers<void>()
      b.delay = () => hanging.promise
      c.delay = () => Promise.reject(new StoreError('Unavailable', 'nobody listens there'))
      await pass(20_000)
      expect(a.heartbeats.length - before).toBeGreaterThanOrEqual(19)
      expect(b.heartbeats.length).toBeLessThanOrEqual(2)
      // Not as often as one that answers, and said once.
      expect(c.heartbeats.length).toBeLessThan(10)
      expect(alarms).toEqual(['a member of SCM does not answer'])
      b.delay = undefined
      c.delay = undefined
      hanging.resolve()
      await pass(4_100)
      expect(c.heartbeats.findLast(({ full }) => full)?.containers).toMatchObject([{ id: 1 }])
      // What hung was answered in the end, so nothing is uncertain.
      expect(b.heartbeats.at(-1)).toMatchObject({ full: false, containers: [] })
      expect(c.heartbeats.at(-1)).toMatchObject({ full: false, containers: [] })
    }))

  test('a container that is gone is told to all by a full report', () =>
    withMembers(async ({ datanode, scms, pass }) => {
      await datanode.writeBlock(block(1), [content])
      await datanode.writeBlock(block(1, 2), [content])
      await pass(1_500)
      scms[0].commands = [{ kind: 'delete-container', container: 1 }]
      await pass(1_100)
      scms[0].commands = []
      await pass(2_100)
      for (const scm of scms) {
        expect(scm.heartbeats.findLast(({ full }) => full)?.containers.map(({ id }) => id)).toEqual([2])
      }
    }))

  test('a stop does not wait for one that never answers', () =>
    withMembers(async ({ scms, pass }) => {
      await pass(500)
      scms[1].delay = () => new Promise(() => {})
      await pass(5_000)
    }))
})
