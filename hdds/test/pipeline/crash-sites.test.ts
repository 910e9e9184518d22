/** A member dies at each place where a pipeline is made, changed or closed; and disks that fail or are full. */

import { describe, expect, test } from 'vitest'
import { pipelineFaultSites } from '../../src/api/fault-sites.ts'
import { patternOf } from '../harness/bytes.ts'
import { PipelineCluster } from '../harness/pipeline-cluster.ts'
import type { ClusterMember } from '../harness/pipeline-cluster.ts'

const pipeline = 'p-1'
const through = { pipeline }
const block = (local: number, container = 1) => ({ container, local })

const stateOf = (member: ClusterMember, id = 1) => member.datanode.containers().find((report) => report.id === id)

describe.each(['crash', 'kill'] as const)('a member survives a %s at', (verdict) => {
  test.each(pipelineFaultSites)('%s', async (site) => {
    let deaths = 0
    await new PipelineCluster({ seed: site }).run(async (cluster) => {
      const victim = 'dn-2'
      const node = cluster.node(victim)
      let armed = true
      node.onSite = (at) => {
        if (!armed || at !== site) return 'go-on'
        armed = false
        deaths++
        return verdict
      }
      /** Again and again, as SCM does, with whoever is up; the victim is started when it has died. */
      const persist = async (
        what: string,
        done: () => boolean,
        action: (member: ClusterMember) => Promise<unknown>,
      ) => {
        await cluster.until(what, async () => {
          if (!node.isUp) {
            cluster.up.delete(victim)
            await cluster.start(victim)
          }
          await Promise.all(
            [...cluster.up.values()].map((member) => member.process.whileUp(action(member).catch(() => undefined))),
          )
          return node.isUp && done()
        })
      }
      const all = (condition: (member: ClusterMember) => boolean) => () =>
        cluster.up.size === cluster.ids.length && [...cluster.up.values()].every(condition)

      await persist(
        'it is made',
        all(({ datanode }) => datanode.pipelines().length === 1),
        ({ datanode }) => datanode.createPipeline(pipeline, cluster.members),
      )
      const bytes = patternOf(1, 3000)
      const leader = await cluster.elected(pipeline)
      await leader.datanode.writeBlock(block(1), [bytes], through)
      await persist(
        'all have the block',
        all((member) => stateOf(member)?.blockCount === 1),
        () => Promise.resolve(),
      )
      await persist(
        'it is closed',
        all(({ datanode }) => datanode.pipelines().length === 0),
        ({ datanode }) => datanode.closePipeline(pipeline),
      )
      for (const id of cluster.ids) {
        expect(stateOf(cluster.member(id))).toMatchObject({ state: 'QUASI_CLOSED', blockCount: 1 })
        await cluster.stop(id)
        const again = await cluster.start(id)
        expect(again?.datanode.pipelines()).toEqual([])
        expect(await again?.process.disk.list('/disk1/pipelines')).toEqual([])
      }
    })
    expect(deaths).toBe(1)
  })
})

describe('a member', () => {
  test('whose disk is full applies what was committed when there is room again', async () => {
    await new PipelineCluster({ seed: 1, disks: ['/disk1', '/disk2'] }).run(async (cluster) => {
      await cluster.createPipeline(pipeline)
      const leader = await cluster.elected(pipeline)
      const [full] = [...cluster.up.values()].filter(({ id }) => id !== leader.id)
      if (full === undefined) throw new Error('there are three')
      const bytes = patternOf(1, 3000)
      await leader.datanode.writeBlock(block(1), [bytes], through)
      await cluster.until('it has the container', () => stateOf(full)?.blockCount === 1)
      const cancel = full.node.disk.inject({ operation: 'write', errno: 'ENOSPC', path: /\.cnt$/, times: 1_000 })
      for (let local = 2; local <= 5; local++) await leader.datanode.writeBlock(block(local), [bytes], through)
      await cluster.simulation.clock.sleep(1_000)
      expect(stateOf(full)?.blockCount).toBe(1)
      expect(full.datanode.pipelines()).toMatchObject([{ state: 'open' }])
      cancel()
      for (const disk of full.datanode.dataDisks) await disk.checkSpace()
      await cluster.until('it has all', () => stateOf(full)?.blockCount === 5)
      await leader.datanode.closeContainer(1)
      await cluster.until('all are closed', () => {
        return [...cluster.up.values()].every((member) => stateOf(member)?.state === 'CLOSED')
      })
      expect(new Set([...cluster.up.values()].map((member) => stateOf(member)?.contentHash)).size).toBe(1)
    })
  })

  test('whose container cannot be written says that the pipeline failed; what was acknowledged is elsewhere', async () => {
    await new PipelineCluster({ seed: 1 }).run(async (cluster) => {
      await cluster.createPipeline(pipeline)
      const leader = await cluster.elected(pipeline)
      const bytes = patternOf(1, 3000)
      await leader.datanode.writeBlock(block(1), [bytes], through)
      leader.node.disk.inject({ operation: 'sync', errno: 'EIO', path: /\.cnt$/ })
      // It is committed before its container fails, or nobody knows.
      const outcome = await leader.datanode.writeBlock(block(2), [bytes], through).then(
        () => 'acknowledged',
        (error: { readonly code: string }) => error.code,
      )
      expect(['acknowledged', 'OutcomeUnknown']).toContain(outcome)
      await cluster.until('it has failed', () => leader.datanode.pipelines()[0]?.state === 'failed')
      const next = await cluster.elected(pipeline, leader.id)
      await next.datanode.writeBlock(block(3), [bytes], through)
      for (const local of outcome === 'acknowledged' ? [1, 2, 3] : [1, 3]) {
        expect(await next.datanode.readSmall(block(local), { offset: 0, length: 3000 })).toEqual(bytes)
      }
      // What is here cannot be sealed any more; SCM finds it on a disk that has failed.
      expect(leader.datanode.disks()).toMatchObject([{ state: 'failed' }])
    })
  })

  test('that dies while it has more to apply than it may hold begins again where it was', async () => {
    await new PipelineCluster({ seed: 3, pipeline: { keptLogBytes: 16 * 1024 * 1024 } }).run(async (cluster) => {
      await cluster.createPipeline(pipeline)
      const leader = await cluster.elected(pipeline)
      const [slow] = [...cluster.up.values()].filter(({ id }) => id !== leader.id)
      if (slow === undefined) throw new Error('there are three')
      cluster.slowness.set(slow.id, 40)
      for (let local = 1; local <= 60; local++) {
        await leader.datanode.writeBlock(block(local), [patternOf(local, 8_000)], through)
      }
      cluster.crash(slow.id)
      cluster.slowness.clear()
      const again = await cluster.start(slow.id)
      if (again === undefined) throw new Error('it starts')
      await cluster.until('it has all', () => stateOf(again)?.blockCount === 60)
      expect(await again.datanode.listBlocks(1)).toEqual(await leader.datanode.listBlocks(1))
    })
  })
})
