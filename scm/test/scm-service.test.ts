import { Simulation } from '@o3/common/env/sim'
import { Graph } from '@o3/common/di'
import type { Env } from '@o3/common/env'
import { MemoryKv } from '@o3/common/kv/memory'
import { nullLogger } from '@o3/common/log'
import { openReplicatedStore } from '@o3/ratis/store'
import { describe, expect, test } from 'vitest'
import type { ContainerReport, DiskReport, Scm } from '../src/api/api.ts'
import {
  SCM,
  SCM_CONFIG,
  SCM_ENV,
  SCM_LOG,
  SCM_SEALING,
  SCM_STORE,
  defaultScmConfig,
  installScm,
  scmRules,
} from '../src/module.ts'
import type { ScmService } from '../src/module.ts'
import { testSealing } from './fixtures/sealing.ts'
import { overTheWire } from './wire.ts'

const healthy: DiskReport = {
  path: 'd',
  uuid: 'u',
  state: 'healthy',
  totalBytes: 100,
  availableBytes: 60,
  usedBytes: 40,
}

type Script = (scm: Scm, env: Env, restart: () => Promise<Scm>) => Promise<void>
/** The SCM of a machine as a caller has it. */
type Door = (scm: ScmService, simulation: Simulation, env: Env) => Promise<Scm>

const doors: readonly (readonly [string, Door])[] = [
  ['in one process', (scm) => Promise.resolve(scm)],
  ['over the wire', overTheWire],
]

/** An SCM on a simulated machine; `restart` closes it and opens another on the same disk. */
async function throughDoor(door: Door, run: Script): Promise<void> {
  const simulation = new Simulation({ seed: 'scm' })
  const env: Env = simulation.node('scm').boot()
  const kv = new MemoryKv()
  const open = async () => {
    const store = await openReplicatedStore({
      env,
      directory: 'scm',
      rules: scmRules,
      kv,
      log: { segmentBytes: 65_536 },
    })
    const graph = new Graph().value(SCM_ENV, env).value(SCM_LOG, nullLogger).value(SCM_CONFIG, defaultScmConfig)
    graph.value(SCM_STORE, store).value(SCM_SEALING, testSealing(env))
    installScm(graph)
    const scm = graph.get(SCM)
    await scm.start()
    return { scm: await door(scm, simulation, env), store }
  }
  await simulation.run(async () => {
    let opened = await open()
    await run(opened.scm, env, async () => {
      await opened.store.close()
      opened = await open()
      return opened.scm
    })
    await opened.store.close()
  })
}

const register = (scm: Scm, disks = [healthy], containers: readonly ContainerReport[] = []) =>
  scm.register({ id: 'dn', address: 'here', disks, containers })

const report = (over: Partial<ContainerReport>): ContainerReport => ({
  id: 1,
  state: 'OPEN',
  generation: 1,
  usedBytes: 0,
  liveBytes: 0,
  blockCount: 0,
  ...over,
})

const beat = (
  scm: Scm,
  over: { full?: boolean; containers?: readonly ContainerReport[]; done?: readonly number[] } = {},
) =>
  scm.heartbeat({
    id: 'dn',
    full: over.full ?? false,
    disks: [healthy],
    containers: over.containers ?? [],
    deletedTransactions: over.done ?? [],
  })

describe.each(doors)('%s', (_where, door) => {
  const withScm = (run: Script): Promise<void> => throughDoor(door, run)

  describe('allocation', () => {
    test('needs a live datanode', () =>
      withScm(async (scm) => {
        await expect(scm.allocateBlocks({ count: 1, replication: 'RATIS/ONE' })).rejects.toMatchObject({
          code: 'Unavailable',
        })
      }))

    test('goes round the open containers, and no id comes twice, restart or not', () =>
      withScm(async (scm, _, restart) => {
        await register(scm)
        const before = (
          await Promise.all([1, 2, 3, 4].map(() => scm.allocateBlocks({ count: 8, replication: 'RATIS/ONE' })))
        ).flat()
        const again = await restart()
        await register(again)
        const after = await again.allocateBlocks({ count: 8, replication: 'RATIS/ONE' })
        const ids = [...before, ...after].flatMap(({ container, firstLocal, count }) =>
          Array.from({ length: count }, (_each, n) => `${container}/${firstLocal + n}`),
        )
        expect(new Set(ids).size).toBe(40)
        expect(new Set(before.map((range) => range.container)).size).toBe(defaultScmConfig.openContainersPerNode)
        expect((await again.summary()).containers.OPEN).toBe(defaultScmConfig.openContainersPerNode)
      }))

    test.each([
      ['full', 'OutOfSpace'],
      ['failed', 'VolumeFailed'],
    ] as const)('a datanode whose disks are %s answers %s', (state, code) =>
      withScm(async (scm) => {
        await register(scm, [{ ...healthy, state }])
        await expect(scm.allocateBlocks({ count: 1, replication: 'RATIS/ONE' })).rejects.toMatchObject({ code })
      }),
    )

    test('a node that fell silent gets no blocks until it is heard again', () =>
      withScm(async (scm, env) => {
        await register(scm)
        await env.clock.sleep(defaultScmConfig.staleAfterMs)
        await expect(scm.allocateBlocks({ count: 1, replication: 'RATIS/ONE' })).rejects.toMatchObject({
          code: 'Unavailable',
        })
        await beat(scm)
        expect(await scm.allocateBlocks({ count: 1, replication: 'RATIS/ONE' })).toHaveLength(1)
      }))

    test.each([0, -1, 1.5, 65_537])('a count of %d is refused', (count) =>
      withScm(async (scm) => {
        await expect(scm.allocateBlocks({ count, replication: 'RATIS/ONE' })).rejects.toMatchObject({
          code: 'InvalidArgument',
        })
      }),
    )
  })

  describe('the life of a container', () => {
    test('full → closing → closed → emptied → deleted, and a new one takes its place', () =>
      withScm(async (scm) => {
        await register(scm)
        const [range] = await scm.allocateBlocks({ count: 1, replication: 'RATIS/ONE' })
        const id = range!.container
        const full = report({ id, usedBytes: defaultScmConfig.containerBytes, liveBytes: 1, blockCount: 1 })
        expect((await beat(scm, { containers: [full] })).commands).toEqual([{ kind: 'close-container', container: id }])
        const [next] = await scm.allocateBlocks({ count: 1, replication: 'RATIS/ONE' })
        expect(next!.container).not.toBe(id)
        await beat(scm, { containers: [{ ...full, state: 'CLOSED' }] })
        await scm.deleteBlocks([range!])
        const deletion = { kind: 'delete-blocks', transaction: 1, blocks: [range] }
        expect((await beat(scm)).commands).toEqual([deletion])
        // Until it is acknowledged it is asked for again.
        expect((await beat(scm)).commands).toEqual([deletion])
        const emptied = await beat(scm, {
          done: [1],
          containers: [{ ...full, state: 'CLOSED', liveBytes: 0, blockCount: 0 }],
        })
        expect(emptied.commands).toEqual([{ kind: 'delete-container', container: id }, { kind: 'full-report' }])
        await beat(scm, { full: true })
        expect((await scm.listContainers({ limit: 100 })).map((each) => each.id)).not.toContain(id)
        await expect(scm.locate(id)).rejects.toMatchObject({ code: 'ContainerNotFound' })
      }))

    test('its replicas are found with the address that their datanode registered last, also after a restart', () =>
      withScm(async (scm, _, restart) => {
        await register(scm)
        const [range] = await scm.allocateBlocks({ count: 1, replication: 'RATIS/ONE' })
        const { container } = range!
        expect((await scm.locate(container)).replicas).toEqual([{ datanode: 'dn', address: 'here' }])
        await scm.register({ id: 'dn', address: 'there:1', disks: [healthy], containers: [] })
        const again = await restart()
        expect((await again.locate(container)).replicas).toEqual([{ datanode: 'dn', address: 'there:1' }])
        await again.register({ id: 'dn', address: undefined, disks: [healthy], containers: [] })
        expect((await again.locate(container)).replicas).toEqual([{ datanode: 'dn', address: undefined }])
        expect(await again.listNodes()).toMatchObject([{ address: 'local' }])
      }))

    test('a container that nobody wrote to can be closed', () =>
      withScm(async (scm) => {
        await register(scm)
        const [range] = await scm.allocateBlocks({ count: 1, replication: 'RATIS/ONE' })
        await scm.closeContainer(range!.container)
        expect((await beat(scm)).commands).toEqual([{ kind: 'create-container', container: range!.container }])
      }))

    test('after a restart a datanode is asked to register before it is believed', () =>
      withScm(async (scm, _, restart) => {
        await register(scm)
        const again = await restart()
        expect((await beat(again)).commands).toEqual([{ kind: 'register' }])
      }))
  })

  test('the administrator sees nodes, containers and what is waiting', () =>
    withScm(async (scm) => {
      await register(scm)
      const [range] = await scm.allocateBlocks({ count: 4, replication: 'RATIS/ONE' })
      await scm.deleteBlocks([{ ...range!, count: 3 }])
      expect(await scm.summary()).toMatchObject({ pendingDeletionBlocks: 3, totalBytes: 100, availableBytes: 60 })
      expect(await scm.listNodes()).toMatchObject([{ id: 'dn', health: 'HEALTHY', operational: 'IN_SERVICE' }])
      expect(await scm.listContainers({ limit: 1 })).toHaveLength(1)
    }))
})
