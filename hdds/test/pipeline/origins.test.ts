/** Which replicas that were sealed alone are origins: those whose member still has all that it ever acknowledged of them. */

import { describe, expect, test } from 'vitest'
import { patternOf } from '../harness/bytes.ts'
import { rejection } from '../harness/expect-error.ts'
import { PipelineCluster } from '../harness/pipeline-cluster.ts'
import type { ClusterMember } from '../harness/pipeline-cluster.ts'

const pipeline = 'p-1'
const through = { pipeline }
const block = (local: number, container = 1) => ({ container, local })
const bytesOf = (local: number) => patternOf(local, 3000)

/** With two disks: the log of the pipeline is on one, container 1 on the other. */
async function withPipeline(script: (cluster: PipelineCluster, victim: ClusterMember) => Promise<void>): Promise<void> {
  const cluster = new PipelineCluster({ seed: 1, disks: ['/disk1', '/disk2'] })
  await cluster.run(async () => {
    // The first disk has an open container by then, so that the next one goes to the other.
    for (const { datanode } of cluster.up.values()) await datanode.createContainer(9)
    await cluster.createPipeline(pipeline)
    const leader = await cluster.elected(pipeline)
    for (let local = 1; local <= 4; local++) await leader.datanode.writeBlock(block(local), [bytesOf(local)], through)
    await cluster.until('all have them', () =>
      [...cluster.up.values()].every((each) => reportOf(each)?.blockCount === 4),
    )
    const victim = [...cluster.up.values()].find(({ id }) => id !== leader.id)
    if (victim === undefined) throw new Error('there are three')
    await script(cluster, victim)
  })
}

const reportOf = ({ datanode }: ClusterMember, id = 1) => datanode.containers().find((report) => report.id === id)

function diskOf({ datanode }: ClusterMember, what: 'log' | 'container'): string {
  const holder = datanode.dataDisks.find(({ containers }) => containers.has(1))?.path
  const other = datanode.dataDisks.find(({ path }) => path !== holder)?.path
  if (holder === undefined || other === undefined) throw new Error('the container is on one of two disks')
  return what === 'container' ? holder : other
}

/** It loses these, and starts again. It was stopped in order: its log is applied, and does not bring again what is lost. */
async function after(
  cluster: PipelineCluster,
  { id }: ClusterMember,
  losses: (member: ClusterMember) => readonly string[],
): Promise<ClusterMember> {
  const paths = losses(cluster.member(id))
  await cluster.stop(id)
  for (const path of paths) await cluster.loseDisk(id, path)
  await cluster.start(id)
  return cluster.member(id)
}

async function sealedAlone({ datanode }: ClusterMember, id = 1) {
  await datanode.closeContainerAlone(id)
  const { state, isOrigin, blockCount } = datanode.containers().find((report) => report.id === id) ?? {}
  return { state, isOrigin, blockCount }
}

const origin = { state: 'QUASI_CLOSED', isOrigin: true, blockCount: 4 }
const none = { state: 'QUASI_CLOSED', isOrigin: undefined }

describe('sealed alone it is an origin', () => {
  test('of a member that was there from the start, also after a restart', async () => {
    await withPipeline(async (cluster, victim) => {
      const again = await after(cluster, victim, () => [])
      expect(await sealedAlone(again)).toEqual(origin)
      const later = await after(cluster, victim, () => [])
      expect(reportOf(later)).toMatchObject(origin)
    })
  })

  test('of one that lags behind: the others have what it never acknowledged', async () => {
    await withPipeline(async (cluster, victim) => {
      cluster.kill(victim.id)
      const leader = await cluster.elected(pipeline)
      await leader.datanode.writeBlock(block(5), [bytesOf(5)], through)
      for (const id of cluster.ids) if (cluster.up.has(id)) cluster.kill(id)
      await cluster.start(victim.id)
      expect(await sealedAlone(cluster.member(victim.id))).toEqual(origin)
    })
  })

  test('of one that lost everything, began blank, and has learned everything from the others', async () => {
    await withPipeline(async (cluster, victim) => {
      const again = await after(cluster, victim, () => ['/disk1', '/disk2'])
      await again.datanode.createPipeline(pipeline, cluster.members)
      await cluster.until('it has the blocks', () => reportOf(again)?.blockCount === 4)
      await cluster.simulation.clock.sleep(5_000)
      expect(await sealedAlone(again)).toEqual(origin)
    })
  })
})

describe('of a container that was never written, an empty replica that is sealed alone is an origin', () => {
  const empty = { ...origin, blockCount: 0 }

  test('of a member that takes part', async () => {
    await withPipeline(async (_, { datanode, ...victim }) => {
      await datanode.createContainerOf(2, pipeline)
      expect(await sealedAlone({ datanode, ...victim }, 2)).toEqual(empty)
    })
  })

  test('of one that has left, also after a restart', async () => {
    await withPipeline(async (cluster, victim) => {
      expect(await sealedAlone(victim)).toEqual(origin)
      await victim.datanode.createContainerOf(2, pipeline)
      expect(await sealedAlone(victim, 2)).toEqual(empty)
      const again = await after(cluster, victim, () => [])
      await again.datanode.createContainerOf(3, pipeline)
      expect(await sealedAlone(again, 3)).toEqual(empty)
    })
  })
})

describe('sealed alone it is no origin', () => {
  test('of a member that lost everything, began blank, and made an empty replica', async () => {
    await withPipeline(async (cluster, victim) => {
      const again = await after(cluster, victim, () => ['/disk1', '/disk2'])
      const heal = cluster.isolate(victim.id)
      heal()
      await again.datanode.createPipeline(pipeline, cluster.members)
      const cut = cluster.isolate(victim.id)
      await again.datanode.createContainerOf(2, pipeline)
      expect(await sealedAlone(again, 2)).toMatchObject(none)
      cut()
    })
  })

  test('of one that lost its log and not the container', async () => {
    await withPipeline(async (cluster, victim) => {
      const again = await after(cluster, victim, (member) => [diskOf(member, 'log')])
      expect(again.datanode.pipelines()).toEqual([])
      // What its log had, and was not in the container yet, is gone.
      expect(await sealedAlone(again)).toMatchObject(none)
    })
  })

  test('of one that lost the container and not its log, whether it was begun anew by then or not', async () => {
    await withPipeline(async (cluster, victim) => {
      const again = await after(cluster, victim, (member) => [diskOf(member, 'container')])
      expect(reportOf(again)).toBeUndefined()
      const leader = await cluster.elected(pipeline)
      await leader.datanode.writeBlock(block(5), [bytesOf(5)], through)
      await cluster.until('it has what came later', () => reportOf(again)?.blockCount === 1)
      // A start finds a container of its own there, like any other.
      const later = await after(cluster, victim, () => [])
      expect(await sealedAlone(later)).toMatchObject({ ...none, blockCount: 1 })
    })
  })

  test.each([
    ['sealed alone', async (victim: ClusterMember) => void (await sealedAlone(victim))],
    ['closed through the log', (_: ClusterMember, leader: ClusterMember) => leader.datanode.closeContainer(1)],
  ])('of one that was %s, then lost with its disk, and begun anew', async (_, seal) => {
    await withPipeline(async (cluster, victim) => {
      await seal(victim, await cluster.elected(pipeline))
      await cluster.until('it is sealed', () => reportOf(victim)?.state !== 'OPEN')
      // What is written down of the pipeline is written again, without a container that is open.
      const elsewhere = cluster.members.map((each) => ({ ...each, address: '10.0.0.9:1' }))
      await victim.datanode.createPipeline(pipeline, elsewhere)
      const again = await after(cluster, victim, (member) => [diskOf(member, 'container')])
      await again.datanode.createPipeline(pipeline, cluster.members)
      await again.datanode.createContainerOf(1, pipeline)
      expect(await sealedAlone(again)).toMatchObject(none)
    })
  })

  test('of one whose log is damaged, before the others have made good for it', async () => {
    await withPipeline(async (cluster, victim) => {
      const path = `${diskOf(victim, 'log')}/pipelines/${pipeline}/log`
      const segment = (await victim.process.disk.list(path)).find((name) => name.endsWith('.segment'))
      for (const id of cluster.ids) if (cluster.up.has(id)) await cluster.stop(id)
      cluster.node(victim.id).disk.flip(`${path}/${segment}`, 9000)
      await cluster.start(victim.id)
      const again = cluster.member(victim.id)
      expect(await sealedAlone(again)).toMatchObject(none)
    })
  })

  test('of one whose container does not verify', async () => {
    await withPipeline(async (cluster, victim) => {
      expect(await sealedAlone(victim)).toEqual(origin)
      const disk = victim.datanode.dataDisks.find(({ containers }) => containers.has(1))
      victim.node.disk.flip(`${disk?.path}/containers/1.1.cnt`, 200)
      await victim.datanode.scrubContainer(1)
      expect(reportOf(victim)).toMatchObject({ state: 'UNHEALTHY' })
      expect(reportOf(victim)?.isOrigin).toBeUndefined()
    })
  })
})

describe('closed through the log', () => {
  test('a container that lost blocks is not closed by agreement, at whoever leads, and the others are', async () => {
    await withPipeline(async (cluster) => {
      const leader = await cluster.elected(pipeline)
      const again = await after(cluster, leader, (member) => [diskOf(member, 'container')])
      await cluster.until('it leads again', async () => {
        const now = await cluster.elected(pipeline)
        if (now.id === again.id) return true
        const heal = cluster.isolate(now.id)
        await cluster.simulation.clock.sleep(3_000)
        heal()
        return false
      })
      await again.datanode.createContainerOf(1, pipeline)
      await again.datanode.closeContainer(1)
      await cluster.until('all are sealed', () =>
        [...cluster.up.values()].every((each) => reportOf(each)?.state !== 'OPEN'),
      )
      for (const member of cluster.up.values()) {
        if (member.id === again.id) expect(reportOf(member)).toMatchObject({ state: 'QUASI_CLOSED', blockCount: 0 })
        else expect(reportOf(member)).toMatchObject({ state: 'CLOSED', blockCount: 4 })
      }
      expect(reportOf(again)?.isOrigin).toBeUndefined()
      await rejection(again.datanode.writeBlock(block(9), [bytesOf(9)], through), 'Unavailable')
    })
  })
})

test('a log that comes back with its disk counts no more where one was begun anew without it', async () => {
  await withPipeline(async (cluster, victim) => {
    const path = diskOf(victim, 'log')
    await cluster.stop(victim.id)
    await cluster.start(victim.id, { away: [path] })
    await cluster.datanode(victim.id).createPipeline(pipeline, cluster.members)
    const leader = await cluster.elected(pipeline)
    await leader.datanode.writeBlock(block(5), [bytesOf(5)], through)
    await cluster.until('it has caught up', () => reportOf(cluster.member(victim.id))?.blockCount === 5)
    await cluster.stop(victim.id)
    const { durable } = victim.node.disk
    const description = `${path}/pipelines/${pipeline}/description`
    expect(durable.call(victim.node.disk, description)).toBeDefined()
    await cluster.start(victim.id, { returned: [path] })
    expect(durable.call(victim.node.disk, description)).toBeUndefined()
    expect(cluster.datanode(victim.id).pipelines()).toMatchObject([{ id: pipeline, state: 'open' }])
    // Once the leader has taught it everything it is a majority with one of the others.
    await cluster.simulation.clock.sleep(5_000)
    cluster.kill(leader.id)
    const next = await cluster.elected(pipeline, leader.id)
    await next.datanode.writeBlock(block(6), [bytesOf(6)], through)
    await cluster.until('both have it', () =>
      [...cluster.up.values()].every((each) => reportOf(each)?.blockCount === 6),
    )
  })
})
