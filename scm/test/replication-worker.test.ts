/** The replication manager behind SCM's doors: what a datanode is told, and what the rows say afterwards. */

import { Simulation } from '@o3/common/env/sim'
import type { Env } from '@o3/common/env'
import { MemoryKv } from '@o3/common/kv/memory'
import { nullLogger } from '@o3/common/log'
import { openReplicatedStore } from '@o3/ratis/store'
import { expect, test } from 'vitest'
import type { ContainerReport, DatanodeCommand, DiskReport, TaskReport } from '../src/api/api.ts'
import { ScmService, defaultReplicationConfig, defaultScmConfig, replicationWorker, scmRules } from '../src/module.ts'

const GiB = 1024 ** 3
const disk: DiskReport = {
  path: 'd',
  uuid: 'u',
  state: 'healthy',
  totalBytes: 100 * GiB,
  availableBytes: 60 * GiB,
  usedBytes: 40 * GiB,
}

const closed = (id: number): ContainerReport => {
  return {
    id,
    state: 'CLOSED',
    generation: 1,
    usedBytes: GiB,
    liveBytes: GiB,
    blockCount: 5,
    contentHash: '0'.repeat(16),
  }
}

type Copy = Extract<DatanodeCommand, { kind: 'copy-container' }>

async function withScm(run: (scm: ScmService, env: Env) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 'replication' })
  const env: Env = simulation.node('scm').boot()
  await simulation.run(async () => {
    const log = { segmentBytes: 65_536 }
    const store = await openReplicatedStore({ env, directory: 'scm', rules: scmRules, kv: new MemoryKv(), log })
    const worker = replicationWorker({ config: defaultReplicationConfig, random: env.random })
    const options = { env, store, config: defaultScmConfig, log: nullLogger, workers: [worker] }
    const scm = new ScmService(options)
    await scm.start()
    for (const id of ['a', 'b', 'c']) await scm.register({ id, address: `${id}:1`, disks: [disk], containers: [] })
    await run(scm, env)
    await store.close()
  })
}

const beat = (
  scm: ScmService,
  id: string,
  containers: readonly ContainerReport[] = [],
  tasks: readonly TaskReport[] = [],
) => scm.heartbeat({ id, full: true, disks: [disk], containers, deletedTransactions: [], tasks })

function copiesIn(commands: readonly DatanodeCommand[]): readonly Copy[] {
  return commands.filter((command) => command.kind === 'copy-container')
}

test('a datanode that is decommissioned hands over what it has, and is then free', () =>
  withScm(async (scm) => {
    const [range] = await scm.allocateBlocks({ count: 1, replication: 'RATIS/ONE' })
    const container = range?.container ?? 0
    const [from = ''] = (await scm.containerInfo(container)).info.datanodes
    const others = ['a', 'b', 'c'].filter((id) => id !== from)
    for (const { id } of await scm.listContainers({ limit: 100 })) {
      // All others are closed and gone before anything is asked of anybody.
      if (id !== container) await scm.closeContainer(id)
    }
    await scm.closeContainer(container)
    const emptied = async (): Promise<readonly ContainerReport[]> => {
      const all = await scm.listContainers({ limit: 100 })
      const here = all.filter(({ datanodes }) => datanodes.includes(from))
      return here.map(({ id }) => closed(id))
    }
    await beat(scm, from, await emptied())
    await scm.setOperational({ datanode: from, wanted: 'DECOMMISSIONED', force: true })

    const asked = new Map<string, readonly Copy[]>()
    for (let round = 0; round < 3; round++) {
      await beat(scm, from, await emptied())
      for (const id of others) asked.set(id, copiesIn((await beat(scm, id)).commands))
    }
    const copy = [...asked].flatMap(([id, copies]) => copies.map((each) => ({ id, ...each })))
    const mine = copy.find((each) => each.container === container)
    expect(mine).toMatchObject({ sources: [{ datanode: from, address: `${from}:1` }] })
    const info = await scm.containerInfo(container)
    expect(info.replicas.find(({ datanode }) => datanode === mine?.id)).toMatchObject({ standing: 'incoming' })
    const before = (await scm.listNodes()).find(({ id }) => id === from)
    expect(before?.operational).toBe('DECOMMISSIONING')
    expect(before?.departure?.containersLeft).toBeGreaterThan(0)

    // A task that its datanode speaks of is not asked for again; what it has made counts from its first report on.
    const target = mine?.id ?? ''
    const running = copy
      .filter(({ id }) => id === target)
      .map(({ task }): TaskReport => {
        return { task, state: 'running', doneBytes: 1, totalBytes: GiB }
      })
    const heard = await beat(scm, target, [], running)
    expect(copiesIn(heard.commands)).toEqual([])
    for (let round = 0; round < 4; round++) {
      for (const id of others) {
        const made = copy.filter((each) => each.id === id).map((each) => closed(each.container))
        const more = copiesIn((await beat(scm, id, made)).commands)
        copy.push(...more.map((each) => ({ id, ...each })))
      }
      await beat(scm, from, await emptied())
    }
    expect((await scm.containerInfo(container)).info.datanodes).toContain(target)
    const after = (await scm.listNodes()).find(({ id }) => id === from)
    expect(after?.operational).toBe('DECOMMISSIONED')
    expect(after?.departure).toBeUndefined()
  }))
