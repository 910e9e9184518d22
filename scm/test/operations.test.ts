/** Pipelines and containers with several replicas, as callers and administrators see them. */

import { expect, test } from 'vitest'
import type { DatanodeId } from '../src/api/api.ts'
import { ModelDatanodes } from './fixtures/model-datanodes.ts'
import { withMembers } from './fixtures/three-members.ts'
import type { ThreeMembers } from './fixtures/three-members.ts'

const three = { count: 1, replication: 'RATIS/THREE' } as const

class Cluster {
  readonly nodes: ModelDatanodes
  readonly members: ThreeMembers
  private readonly known = new Set<DatanodeId>()

  constructor(members: ThreeMembers, ids: readonly DatanodeId[]) {
    this.members = members
    this.nodes = new ModelDatanodes(ids)
    members.group.elect('a')
  }

  get scm() {
    return this.members.at('a')
  }

  /** Heartbeats of those that are up, every second. */
  async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      this.nodes.tick()
      for (const { id, isUp } of this.nodes.all.values()) if (isUp) await this.beat(id)
      await this.members.env.clock.sleep(1_000)
    }
  }

  async beat(id: DatanodeId): Promise<void> {
    const isNew = !this.known.has(id)
    this.known.add(id)
    const answer = isNew
      ? await this.scm.register(this.nodes.registration(id))
      : await this.scm.heartbeat(this.nodes.heartbeat(id))
    for (const command of answer.commands) this.nodes.carryOut(id, command)
  }

  async write(): Promise<number> {
    const [range] = await this.scm.allocateBlocks(three)
    const { pipeline } = await this.scm.locate(range!.container)
    expect(this.nodes.write(pipeline!, range!.container, range!.firstLocal)).toBe(true)
    return range!.container
  }
}

const withCluster = (ids: readonly DatanodeId[], script: (cluster: Cluster) => Promise<void>): Promise<void> =>
  withMembers((members) => script(new Cluster(members, ids)))

test('three datanodes make pipelines by themselves, and are written through them', () =>
  withCluster(['dn1', 'dn2', 'dn3'], async (cluster) => {
    await cluster.pass(8)
    const pipelines = await cluster.scm.listPipelines()
    expect(pipelines).toMatchObject([
      { id: 'pipeline-1', replication: 'RATIS/THREE', state: 'OPEN', leader: 'dn1', membersReady: 3 },
      { id: 'pipeline-2', state: 'OPEN', membersReady: 3 },
    ])
    const used = new Set<number>()
    for (let i = 0; i < 8; i++) used.add(await cluster.write())
    // Two for each pipeline; those of another replication are others.
    expect(used.size).toBe(4)
    const [encoded] = await cluster.scm.allocateBlocks({ count: 1, replication: 'EC/rs-3-2-1024k' })
    expect(used.has(encoded!.container)).toBe(false)
    expect(await cluster.scm.listNodes()).toMatchObject([{ rack: '/default', pipelines: 2, containers: 8 }, {}, {}])
  }))

test('two datanodes are too few, and it is said so', () =>
  withCluster(['dn1', 'dn2'], async (cluster) => {
    await cluster.pass(3)
    await expect(cluster.scm.allocateBlocks(three)).rejects.toMatchObject({
      code: 'Unavailable',
      message: 'RATIS/THREE needs three datanodes in service, there are 2',
    })
    expect(await cluster.scm.allocateBlocks({ count: 1, replication: 'RATIS/ONE' })).toHaveLength(1)
  }))

test('a datanode that falls silent is suspected within five seconds, and its pipelines are avoided, then closed', () =>
  withCluster(['dn1', 'dn2', 'dn3', 'dn4', 'dn5'], async (cluster) => {
    await cluster.pass(8)
    const container = await cluster.write()
    const [victim] = (await cluster.scm.locate(container)).replicas
    cluster.nodes.at(victim!.datanode).isUp = false
    await cluster.pass(5)
    const health = new Map((await cluster.scm.listNodes()).map((node) => [node.id, node.health]))
    expect(health.get(victim!.datanode)).toBe('STALE')
    for (let i = 0; i < 10; i++) {
      const place = await cluster.scm.locate(await cluster.write())
      expect(place.replicas.map(({ datanode }) => datanode)).not.toContain(victim!.datanode)
    }
    expect((await cluster.scm.locate(container)).replicas.at(-1)?.datanode).toBe(victim!.datanode)
    await cluster.pass(20)
    // The other two have agreed to the close.
    expect((await cluster.scm.containerInfo(container)).info.state).toBe('CLOSED')
    const open = (await cluster.scm.listPipelines()).filter(({ state }) => state === 'OPEN')
    expect(open.flatMap(({ members }) => members)).not.toContain(victim!.datanode)
    expect(open.length).toBeGreaterThan(0)
  }))

test('an administrator closes a pipeline, and another takes its place', () =>
  withCluster(['dn1', 'dn2', 'dn3'], async (cluster) => {
    await cluster.pass(8)
    await expect(cluster.scm.closePipeline('pipeline-9')).rejects.toMatchObject({ code: 'InvalidArgument' })
    const container = await cluster.write()
    const { info, replicas, origins } = await cluster.scm.containerInfo(container)
    expect(info.state).toBe('OPEN')
    expect(origins).toHaveLength(3)
    expect(replicas.map(({ standing, health }) => `${standing} ${health}`)).toEqual(Array(3).fill('held HEALTHY'))
    for (let times = 0; times < 2; times++) await cluster.scm.closePipeline(info.pipeline)
    await cluster.pass(8)
    expect((await cluster.scm.containerInfo(container)).info).toMatchObject({ state: 'CLOSED', pipeline: '' })
    const pipelines = await cluster.scm.listPipelines()
    expect(pipelines.map(({ state }) => state)).toEqual(['OPEN', 'OPEN'])
    expect(pipelines.map(({ id }) => id)).not.toContain(info.pipeline)
  }))

test('deletions wait for their container to be closed, and can be seen to', () =>
  withCluster(['dn1', 'dn2', 'dn3'], async (cluster) => {
    await cluster.pass(3)
    const container = await cluster.write()
    await cluster.scm.deleteBlocks([{ container, firstLocal: 1, count: 1 }])
    await cluster.pass(3)
    expect(await cluster.scm.deletedBlocks()).toEqual({
      transactions: 1,
      blocks: 1,
      heldTransactions: 1,
      waitingFor: ['dn1', 'dn2', 'dn3'].map((datanode) => ({ datanode, transactions: 1 })),
    })
    expect((await cluster.scm.containerInfo(container)).pendingDeletions).toBe(1)
    await cluster.scm.closeContainer(container)
    await cluster.pass(6)
    expect(await cluster.scm.deletedBlocks()).toMatchObject({ transactions: 0, heldTransactions: 0, waitingFor: [] })
    // Nothing was left in it.
    await cluster.pass(4)
    await expect(cluster.scm.containerInfo(container)).rejects.toMatchObject({ code: 'ContainerNotFound' })
  }))

test('a datanode leaves when enough stay, and gets nothing new', () =>
  withCluster(['dn1', 'dn2', 'dn3', 'dn4'], async (cluster) => {
    await cluster.pass(8)
    const leave = (datanode: string, force = false) =>
      cluster.scm.setOperational({ datanode, wanted: 'IN_MAINTENANCE', untilMs: 5, force })
    await expect(leave('ghost')).rejects.toMatchObject({ code: 'InvalidArgument' })
    await leave('dn1')
    await cluster.pass(8)
    expect((await cluster.scm.listNodes())[0]).toMatchObject({
      id: 'dn1',
      operational: 'ENTERING_MAINTENANCE',
      maintenanceUntilMs: 5,
      pipelines: 0,
    })
    for (let i = 0; i < 8; i++) {
      const { replicas } = await cluster.scm.locate(await cluster.write())
      expect(replicas.map(({ datanode }) => datanode)).not.toContain('dn1')
    }
    await expect(leave('dn2')).rejects.toMatchObject({ code: 'InvalidArgument' })
    await leave('dn2', true)
    await cluster.scm.setOperational({ datanode: 'dn1', wanted: 'IN_SERVICE' })
    expect(await cluster.scm.listNodes()).toMatchObject([{ operational: 'IN_SERVICE' }, {}, {}, {}])
  }))

test('a leader that has heard of too few reads, and hands out nothing until it is told to', () =>
  withCluster(['dn1', 'dn2', 'dn3', 'dn4'], async (cluster) => {
    await cluster.pass(3)
    const container = await cluster.write()
    cluster.members.restart('a')
    cluster.members.group.elect('a')
    expect((await cluster.scm.locate(container)).replicas).toHaveLength(3)
    await expect(cluster.scm.allocateBlocks(three)).rejects.toMatchObject({
      code: 'Unavailable',
      details: { safemode: 'on' },
    })
    expect(await cluster.scm.safemode()).toEqual({
      on: true,
      reasons: ['4 of 4 datanodes in service have not registered yet'],
      repairs: false,
    })
    for (const id of ['dn1', 'dn2', 'dn3']) await cluster.scm.register(cluster.nodes.registration(id))
    expect((await cluster.scm.safemode()).on).toBe(true)
    await cluster.scm.exitSafemode()
    expect(await cluster.scm.safemode()).toEqual({ on: false, reasons: [], repairs: true })
    expect(await cluster.write()).toBeGreaterThan(0)
  }))

test('a heartbeat that says nothing new costs no look at the rows, however many there are', () =>
  withCluster(['dn1', 'dn2', 'dn3'], async (cluster) => {
    await cluster.pass(8)
    for (let i = 0; i < 30; i++) {
      const container = await cluster.write()
      await cluster.scm.closeContainer(container)
    }
    await cluster.pass(10)
    const executed = cluster.members.group.executed.length
    let reads = 0
    cluster.members.group.noteRead = () => void reads++
    await cluster.pass(20)
    expect([reads, cluster.members.group.executed.length - executed]).toEqual([0, 0])
  }))
