import { Graph } from '@o3/common/di'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import type { Metrics } from '@o3/common/metrics'
import { describe, expect, test } from 'vitest'
import type { HddsConfig } from '../../src/config.ts'
import {
  HDDS_BLOCKS,
  HDDS_CONFIG,
  HDDS_DATANODE,
  HDDS_ENV,
  HDDS_LOG,
  HDDS_RECONCILERS,
  HDDS_SCM,
  installHdds,
} from '../../src/module.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { rejection } from '../harness/expect-error.ts'
import { Machine, smallConfig } from '../harness/machine.ts'
import { ScriptedScm } from '../harness/scripted-scm.ts'

const block = (local: number, container = 1) => ({ container, local })
const content = patternOf(1, 20_000)

/** A composed datanode with its maintenance running, and SCM's side of the talk. */
async function composed(
  script: (parts: {
    machine: Machine
    graph: Graph
    scm: ScriptedScm
    metrics: Metrics
    pass: (ms: number) => Promise<void>
  }) => Promise<void>,
  overrides: Partial<HddsConfig> & { readonly capacityBytes?: number } = {},
): Promise<void> {
  const { capacityBytes, ...config } = overrides
  const machine = new Machine({ seed: 1, config, ...(capacityBytes === undefined ? {} : { capacityBytes }) })
  await machine.run(async () => {
    const datanode = await machine.start()
    const scm = new ScriptedScm()
    const graph = new Graph()
      .value(HDDS_ENV, machine.env)
      .value(HDDS_LOG, nullLogger)
      .value(HDDS_CONFIG, { ...smallConfig, ...config })
      .value(HDDS_SCM, scm)
      .value(HDDS_DATANODE, datanode)
    const metrics = createMetrics()
    installHdds(graph, { rack: '/hall/rack1', metrics })
    for (const token of graph.tokens()) graph.get(token)
    const reconcilers = graph.get(HDDS_RECONCILERS)
    reconcilers.start()
    await script({ machine, graph, scm, metrics, pass: (ms) => machine.simulation.clock.sleep(ms) })
    await reconcilers.stop()
    await reconcilers.stop()
    await datanode.close()
  })
}

describe('the talk with SCM', () => {
  test('begins with a registration and goes on with what changed', async () => {
    await composed(async ({ graph, scm, pass }) => {
      const datanode = graph.get(HDDS_DATANODE)
      await pass(100)
      expect(scm.registrations).toMatchObject([
        { id: 'dn-1', rack: '/hall/rack1', containers: [], disks: [{ path: '/disk1', state: 'healthy' }] },
      ])
      await datanode.writeBlock(block(1), [content])
      await pass(1_100)
      expect(scm.heartbeats.at(-1)).toMatchObject({
        full: false,
        containers: [{ id: 1, state: 'OPEN', blockCount: 1 }],
      })
      await pass(1_100)
      expect(scm.heartbeats.at(-1)).toMatchObject({ full: false, containers: [] })
      scm.commands = [{ kind: 'full-report' }]
      await pass(1_100)
      scm.commands = []
      await pass(1_000)
      expect(scm.heartbeats.at(-1)).toMatchObject({ full: true, containers: [{ id: 1 }] })
    })
  })

  test('carries out commands, again and again, and acknowledges deletions once they are durable', async () => {
    await composed(async ({ graph, scm, pass }) => {
      const datanode = graph.get(HDDS_DATANODE)
      for (let local = 1; local <= 3; local++) await datanode.writeBlock(block(local), [content])
      await datanode.writeBlock(block(1, 2), [content])
      scm.commands = [
        { kind: 'create-container', container: 5 },
        { kind: 'close-container', container: 1 },
        { kind: 'close-container', container: 77 },
        { kind: 'delete-container', container: 2 },
        { kind: 'delete-blocks', transaction: 40, blocks: [{ container: 1, firstLocal: 1, count: 2 }] },
        { kind: 'delete-blocks', transaction: 41, blocks: [{ container: 9, firstLocal: 1, count: 2 }] },
      ]
      await pass(5_000)
      expect(scm.heartbeats.flatMap((heartbeat) => heartbeat.deletedTransactions)).toEqual(
        expect.arrayContaining([40, 41]),
      )
      expect(datanode.containers()).toMatchObject([
        { id: 1, state: 'CLOSED', blockCount: 1 },
        { id: 5, state: 'OPEN' },
      ])
      expect((await datanode.listBlocks(1)).map((info) => info.block.local)).toEqual([3])
    })
  })

  test('does not acknowledge a deletion that failed', async () => {
    await composed(async ({ machine, graph, scm, pass }) => {
      await graph.get(HDDS_DATANODE).writeBlock(block(1), [content])
      machine.node.disk.inject({ operation: 'sync', errno: 'EIO', path: /cnt$/ })
      scm.commands = [{ kind: 'delete-blocks', transaction: 1, blocks: [{ container: 1, firstLocal: 1, count: 1 }] }]
      await pass(5_000)
      expect(scm.heartbeats.flatMap((heartbeat) => heartbeat.deletedTransactions)).toEqual([])
      expect(scm.heartbeats.at(-1)).toMatchObject({ disks: [{ state: 'failed' }] })
    })
  })
})

describe('maintenance runs by itself', () => {
  test('space of deleted blocks comes back', async () => {
    await composed(async ({ graph, pass }) => {
      const datanode = graph.get(HDDS_DATANODE)
      for (let local = 1; local <= 10; local++) await datanode.writeBlock(block(local), [content])
      await datanode.closeContainer(1)
      await datanode.deleteBlocks([{ container: 1, firstLocal: 1, count: 9 }])
      await pass(30_000)
      expect(datanode.containers()).toMatchObject([{ generation: 2, blockCount: 1 }])
    })
  })

  test('a full disk is found out, and recovers', async () => {
    await composed(
      async ({ machine, graph, pass }) => {
        const datanode = graph.get(HDDS_DATANODE)
        await datanode.writeBlock(block(1), [content])
        machine.node.disk.capacityBytes = 1024 * 1024
        await pass(3_000)
        await rejection(
          datanode.writeBlock(block(2), [content]).then(() => datanode.openWriter(block(3, 2))),
          'OutOfSpace',
        )
        machine.node.disk.capacityBytes = 64 * 1024 * 1024
        await pass(500)
        await datanode.writeBlock(block(4), [content])
      },
      { reserveBytes: 1024 * 1024, capacityBytes: 64 * 1024 * 1024 },
    )
  })

  test('every byte is verified within the deadline', async () => {
    const hour = 3_600_000
    await composed(
      async ({ machine, graph, pass }) => {
        const datanode = graph.get(HDDS_DATANODE)
        for (const container of [1, 2, 3]) await datanode.writeBlock(block(1, container), [content])
        await pass(hour)
        expect([...(await datanode.dataDisks[0]!.scrubStamps()).keys()]).toEqual([1, 2, 3])
        machine.node.disk.flip('/disk1/containers/2.1.cnt', 10_000)
        expect(datanode.findings()).toEqual([])
        await pass(hour)
        expect(datanode.findings()).toMatchObject([{ kind: 'damaged-chunk', container: 2, local: 1 }])
        expect(datanode.containers()[1]).toMatchObject({ id: 2, state: 'UNHEALTHY' })
      },
      { scrubDeadlineMs: hour },
    )
  })

  test('the index is made durable when something has changed', async () => {
    await composed(async ({ machine, graph, pass }) => {
      await graph.get(HDDS_DATANODE).writeBlock(block(1), [content])
      for (let round = 0; round < 2; round++) {
        await pass(70_000)
        expect(machine.node.siteHits.get('hdds.index.checkpoint-rows-written')).toBe(1)
      }
    })
  })
})

describe('the block client', () => {
  test('asks once where a container is, and goes there', async () => {
    await composed(async ({ graph, scm }) => {
      const blocks = graph.get(HDDS_BLOCKS)
      await blocks.writeBlock(block(1), [content])
      const writer = await blocks.openWriter(block(2))
      await writer.write([content])
      await writer.commit()
      for (const local of [1, 2]) {
        const range = { offset: 5, length: 15_000 }
        expect(sameBytes(await blocks.readSmall(block(local), range), content.subarray(5, 15_005))).toBe(true)
        const pieces: Uint8Array[] = []
        for await (const piece of blocks.read(block(local), range)) pieces.push(Uint8Array.from(piece))
        expect(sameBytes(Buffer.concat(pieces), content.subarray(5, 15_005))).toBe(true)
      }
      expect(scm.located).toEqual([1])
    })
  })

  test('shows what it counts', async () => {
    await composed(async ({ graph, scm, metrics }) => {
      scm.locate = () =>
        Promise.resolve({
          container: 1,
          state: 'CLOSED',
          replication: 'RATIS/THREE',
          pipeline: undefined,
          replicas: ['dn-1', 'dn-2'].map((datanode) => ({ datanode, address: undefined })),
          ec: undefined,
        })
      await graph.get(HDDS_DATANODE).writeBlock(block(1), [content])
      await graph.get(HDDS_BLOCKS).readSmall(block(1), { offset: 0, length: 10 })
      await rejection(graph.get(HDDS_BLOCKS).readSmall(block(2), { offset: 0, length: 10 }), 'BlockNotFound')
      expect(metrics.render()).toMatch(/^o3_hdds_client_reads_total 2$/m)
      expect(metrics.render()).toMatch(/^o3_hdds_client_bad_replicas_total [1-9]$/m)
    })
  })

  test('also when it reads first', async () => {
    await composed(async ({ graph }) => {
      await graph.get(HDDS_DATANODE).writeBlock(block(1), [content])
      const pieces: Uint8Array[] = []
      for await (const piece of graph.get(HDDS_BLOCKS).read(block(1), { offset: 0, length: 10 })) pieces.push(piece)
      expect(sameBytes(pieces[0]!, content.subarray(0, 10))).toBe(true)
    })
  })

  test('says Unavailable when nobody it knows has the container', async () => {
    await composed(async ({ graph, scm }) => {
      scm.places = ['dn-7']
      await rejection(graph.get(HDDS_BLOCKS).readSmall(block(1), { offset: 0, length: 1 }), 'Unavailable')
      await rejection(graph.get(HDDS_BLOCKS).writeBlock(block(1), [content]), 'Unavailable')
    })
  })
})
