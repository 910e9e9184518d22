/** Copies between datanodes of different machines, as SCM asks for them. */

import { Graph } from '@o3/common/di'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import { trustedClient } from '@o3/common/rpc'
import type { DatanodeCommand } from '@o3/scm/api'
import { describe, expect, test } from 'vitest'
import { DatanodeDirectory } from '../../src/client/client.ts'
import {
  HDDS_CONFIG,
  HDDS_DATANODE,
  HDDS_ENV,
  HDDS_LOG,
  HDDS_RECONCILERS,
  HDDS_SCM,
  installHdds,
} from '../../src/module.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { openDatanode } from '../../src/service/open-datanode.ts'
import { auditDatanode } from '../harness/audit.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { collect } from '../harness/expect-error.ts'
import { smallConfig } from '../harness/machine.ts'
import { ScriptedScm } from '../harness/scripted-scm.ts'
import { withSimulatedWire } from '../harness/wire.ts'
import type { SimulatedScene } from '../harness/wire.ts'

const MiB = 1024 * 1024
const block = (local: number, container = 1) => ({ container, local })
const sources = [{ datanode: 'dn-1', address: 'dn:9861' }]
const copyCommand: DatanodeCommand = { kind: 'copy-container', task: 'copy 1', container: 1, sources }

interface Scene extends SimulatedScene {
  /** On the machine `gateway`. */
  readonly target: LocalDatanode
  readonly scm: ScriptedScm
  pass(ms: number): Promise<void>
}

async function withTwo(script: (scene: Scene) => Promise<void>): Promise<void> {
  await withSimulatedWire(async (scene) => {
    const { env, machine } = scene
    const node = machine.simulation.node('gateway')
    const target = await openDatanode({
      env,
      disks: ['/disk1'],
      clusterId: 'cluster-1',
      datanodeId: 'dn-2',
      config: smallConfig,
      log: nullLogger,
      metrics: createMetrics(),
      openKv: (path) => node.openKv(path),
    })
    const scm = new ScriptedScm()
    const datanodes = new DatanodeDirectory({ env, authentication: trustedClient, local: target })
    const graph = new Graph()
      .value(HDDS_ENV, env)
      .value(HDDS_LOG, nullLogger)
      .value(HDDS_CONFIG, smallConfig)
      .value(HDDS_SCM, scm)
      .value(HDDS_DATANODE, target)
    installHdds(graph, { address: 'gateway:9861', datanodes })
    for (const token of graph.tokens()) graph.get(token)
    const reconcilers = graph.get(HDDS_RECONCILERS)
    reconcilers.start()
    await script({
      ...scene,
      machine,
      local: scene.local,
      target,
      scm,
      pass: (ms) => machine.simulation.clock.sleep(ms),
    })
    await reconcilers.stop()
    await target.close()
    datanodes.close()
  })
}

async function fill(datanode: LocalDatanode): Promise<void> {
  for (let local = 1; local <= 300; local++) await datanode.writeBlock(block(local), [patternOf(local, local * 40)])
  const writer = await datanode.openWriter(block(400))
  await writer.write([patternOf(400, 3 * MiB)])
  await writer.commit()
  await datanode.deleteBlocks([{ container: 1, firstLocal: 7, count: 9 }])
}

async function expectSame(target: LocalDatanode, local: LocalDatanode): Promise<void> {
  const [theirs] = local.containers()
  expect(target.containers()).toMatchObject([{ id: 1, state: 'CLOSED', contentHash: theirs!.contentHash }])
  for (const { block: id, lengthBytes } of await local.listBlocks(1)) {
    const range = { offset: 0, length: lengthBytes }
    expect(sameBytes(await collect(target.read(id, range)), await collect(local.read(id, range)))).toBe(true)
  }
  await auditDatanode(target)
}

/** Until the condition holds. */
async function until(pass: Scene['pass'], condition: () => boolean): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (condition()) return
    await pass(100)
  }
  throw new Error('it did not happen within a minute')
}

describe('copy-container', () => {
  test('makes the replica here, and says so until it is heard', async () => {
    await withTwo(async ({ local, target, scm, pass }) => {
      await fill(local)
      await local.closeContainer(1)
      scm.commands = [copyCommand]
      await until(pass, () => target.containers().length > 0)
      await expectSame(target, local)
      await pass(3_000)
      const told = scm.heartbeats.flatMap(({ tasks }) => tasks ?? [])
      expect(told.at(-1)).toMatchObject({ task: 'copy 1', state: 'done' })
      scm.commands = []
      await pass(2_000)
      expect(scm.heartbeats.at(-1)?.tasks).toBeUndefined()
      expect(scm.heartbeats.flatMap(({ containers }) => containers)).toMatchObject([{ id: 1, state: 'CLOSED' }])
    })
  })

  test('of a source that is gone fails, and says why', async () => {
    await withTwo(async ({ local, machine, target, scm, pass }) => {
      await fill(local)
      await local.closeContainer(1)
      machine.node.crash()
      scm.commands = [copyCommand]
      const failure = () => scm.heartbeats.flatMap(({ tasks }) => tasks ?? []).find(({ state }) => state === 'failed')
      await until(pass, () => failure() !== undefined)
      expect(failure()?.message).toContain('can be reached')
      expect(target.containers()).toEqual([])
    })
  })

  test('goes on with another task where one has ended', async () => {
    await withTwo(async ({ local, machine, target, scm, pass, crash }) => {
      await fill(local)
      await local.closeContainer(1)
      scm.commands = [copyCommand]
      await until(pass, () => target.dataDisks[0]!.openCopies.size > 0)
      await crash()
      scm.commands = []
      await until(pass, () => target.dataDisks[0]!.openCopies.size === 0)
      scm.commands = [{ ...copyCommand, task: 'copy 2' }]
      await until(pass, () => target.containers().length > 0)
      await expectSame(target, machine.datanode)
    })
  })
})

test('reconcile-container takes what this replica lacks', async () => {
  await withTwo(async ({ local, target, scm, pass }) => {
    await fill(local)
    await local.closeContainer(1)
    await target.writeBlock(block(3), [patternOf(3, 120)])
    await target.dataDisks[0]!.containers.get(1)!.close({ how: 'alone' })
    await until(pass, () => scm.heartbeats.some(({ containers }) => containers[0]?.state === 'QUASI_CLOSED'))
    scm.commands = [{ kind: 'reconcile-container', task: 'reconcile 1', container: 1, sources }]
    await until(pass, () => target.containers()[0]?.state === 'CLOSED')
    await expectSame(target, local)
  })
})

test('an abandoned copy is removed after a while', async () => {
  await withTwo(async ({ env, target, pass }) => {
    const disk = target.dataDisks[0]!
    const file = await env.disk.open('/disk1/containers/9.2.copy', 'create')
    await file.close()
    disk.copies.set(9, { container: 9, generation: 2 })
    await pass(2 * smallConfig.copyKeepMs)
    expect(await env.disk.list('/disk1/containers')).toEqual([])
    expect(disk.copies.size).toBe(0)
  })
})
