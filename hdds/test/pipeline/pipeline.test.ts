/** A pipeline of three datanodes, its parts one by one. */

import type { Simulation } from '@o3/common/env/sim'
import { isStoreError } from '@o3/common/errors'
import { MemoryNetwork } from '@o3/ratis/testing'
import { describe, expect, test } from 'vitest'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { collect, rejection } from '../harness/expect-error.ts'
import { PipelineCluster } from '../harness/pipeline-cluster.ts'
import type { ClusterMember, PipelineClusterOptions } from '../harness/pipeline-cluster.ts'

const KiB = 1024
const pipeline = 'p-1'
const through = { pipeline }
const block = (local: number, container = 1) => ({ container, local })
const all = (bytes: Uint8Array) => ({ offset: 0, length: bytes.length })

async function withPipeline(
  script: (cluster: PipelineCluster, leader: ClusterMember) => Promise<void>,
  options: Partial<PipelineClusterOptions> = {},
): Promise<void> {
  await new PipelineCluster({ seed: 1, ...options }).run(async (cluster) => {
    await cluster.createPipeline(pipeline)
    await script(cluster, await cluster.elected(pipeline))
  })
}

const followersOf = (cluster: PipelineCluster, leader: ClusterMember): readonly ClusterMember[] =>
  [...cluster.up.values()].filter(({ id }) => id !== leader.id)

const stateOf = ({ datanode }: ClusterMember, id = 1) => datanode.containers().find((report) => report.id === id)

/** Every replica is sealed; what they say of themselves, each saying once. */
async function sealed(cluster: PipelineCluster, id = 1): Promise<readonly string[]> {
  const members = [...cluster.up.values()]
  await cluster.until('all are sealed', () =>
    members.every((member) => !['OPEN', undefined].includes(stateOf(member, id)?.state)),
  )
  return [...new Set(members.map((member) => `${stateOf(member, id)?.state} ${stateOf(member, id)?.contentHash}`))]
}

/** The same block into several replicas, as a client streams it; what they say of it. */
async function stream(members: readonly ClusterMember[], id: { container: number; local: number }, bytes: Uint8Array) {
  const receipts = await Promise.all(
    members.map(async ({ datanode }) => {
      const writer = await datanode.openWriter(id, through)
      await writer.write([bytes])
      return await writer.commit()
    }),
  )
  const [first] = receipts
  expect(new Set(receipts.map(({ checksum }) => checksum)).size).toBe(1)
  return {
    pipeline,
    block: id,
    lengthBytes: bytes.length,
    checksum: first?.checksum ?? -1,
    holders: members.map((member) => member.id),
  }
}

describe('a small block', () => {
  test('is on every member', async () => {
    await withPipeline(async (cluster, { datanode, id }) => {
      const bytes = patternOf(1, 10_000)
      const receipt = await datanode.writeBlock(block(1), [bytes.subarray(0, 5000), bytes.subarray(5000)], through)
      expect(receipt).toMatchObject({ block: block(1), lengthBytes: 10_000, datanodes: [id] })
      expect(await datanode.readSmall(block(1), all(bytes))).toEqual(bytes)
      expect(sameBytes(await collect(datanode.read(block(1), all(bytes))), bytes)).toBe(true)
      await cluster.until('all have it', () => {
        return [...cluster.up.values()].every(({ datanode: each }) => each.containers()[0]?.blockCount === 1)
      })
      for (const member of cluster.up.values()) {
        expect(await member.datanode.readSmall(block(1), all(bytes))).toEqual(bytes)
        expect(member.datanode.containers()).toMatchObject([{ id: 1, state: 'OPEN', pipeline }])
      }
    })
  })

  test('is answered alike when it comes again, and other bytes are refused', async () => {
    await withPipeline(async (cluster, leader) => {
      const bytes = patternOf(1, 3000)
      const { datanode } = leader
      const [first, twin] = await Promise.all([
        datanode.writeBlock(block(1), [bytes], through),
        datanode.writeBlock(block(1), [bytes], through),
      ])
      expect(twin).toEqual(first)
      expect(await datanode.writeBlock(block(1), [bytes], through)).toEqual(first)
      await rejection(datanode.writeBlock(block(1), [patternOf(2, 3000)], through), 'InvalidArgument')
      await cluster.simulation.clock.sleep(500)
      expect(await datanode.writeBlock(block(1), [bytes], through)).toEqual(first)
      await rejection(datanode.writeBlock(block(1), [patternOf(2, 3000)], through), 'InvalidArgument')
      // Another leader, which has it from the log, answers like the first.
      cluster.kill(leader.id)
      const next = await cluster.elected(pipeline, leader.id)
      expect(await next.datanode.writeBlock(block(1), [bytes], through)).toMatchObject({ checksum: first.checksum })
      await rejection(next.datanode.writeBlock(block(1), [patternOf(2, 3000)], through), 'InvalidArgument')
    })
  })

  test('is refused where it does not belong', async () => {
    await withPipeline(async (cluster, leader) => {
      const bytes = patternOf(1, 100)
      await leader.datanode.writeBlock(block(1), [bytes], through)
      for (const { datanode } of followersOf(cluster, leader)) {
        const { details } = await rejection(datanode.writeBlock(block(2), [bytes], through), 'NotLeader')
        expect(details).toMatchObject({ leader: leader.id })
        // Nobody made a container for it.
        await rejection(datanode.writeBlock(block(1, 9), [bytes], through), 'NotLeader')
        expect(datanode.containers().map(({ id }) => id)).not.toContain(9)
      }
      const { datanode } = leader
      await rejection(datanode.writeBlock(block(1), [bytes], { pipeline: 'p-2' }), 'Unavailable')
      await rejection(datanode.openWriter(block(1), { pipeline: 'p-2' }), 'Unavailable')
      await rejection(datanode.writeBlock(block(3), [bytes]), 'InvalidArgument')
      await rejection(datanode.openWriter(block(3)), 'InvalidArgument')
      await datanode.writeBlock(block(1, 2), [bytes])
      expect(stateOf(leader, 2)).not.toHaveProperty('pipeline')
      await rejection(datanode.writeBlock(block(2, 2), [bytes], through), 'InvalidArgument')
    })
  })

  test('is not acknowledged without a majority, and what is under way is bounded', async () => {
    await withPipeline(async (cluster, leader) => {
      const bytes = patternOf(1, 20 * KiB)
      const heal = cluster.isolate(leader.id)
      const answers = Array.from({ length: 10 }, (_, i) => {
        return leader.datanode.writeBlock(block(i + 1), [bytes], through).then(
          () => 'acknowledged',
          (error: { readonly code: string }) => error.code,
        )
      })
      const codes = await Promise.all(answers)
      expect(new Set(codes)).toEqual(new Set(['OutcomeUnknown', 'Busy']))
      heal()
    })
  })

  test('that was acknowledged is never said not to be there', async () => {
    for (let seed = 1; seed <= 8; seed++) {
      await withPipeline(
        async (cluster, leader) => {
          const bytes = patternOf(seed, 5000)
          for (let local = 1; local <= 5; local++) await leader.datanode.writeBlock(block(local), [bytes], through)
          // The log has it, and the container perhaps not.
          for (const id of cluster.ids) cluster.crash(id)
          const again = await cluster.start(leader.id)
          const alone = again?.datanode.readSmall(block(5), all(bytes)).then(
            () => 'read',
            (error: { readonly code: string }) => error.code,
          )
          expect(['read', 'Unavailable', 'DeadlineExceeded']).toContain(await alone)
          for (const id of cluster.ids) if (id !== leader.id) await cluster.start(id)
          await cluster.elected(pipeline)
          const { datanode } = cluster.member(leader.id)
          for (let local = 1; local <= 5; local++) {
            await cluster.until('it can say', async () => {
              try {
                expect(await datanode.readSmall(block(local), all(bytes))).toEqual(bytes)
                return true
              } catch (error) {
                if (isStoreError(error, 'Unavailable')) return false
                throw error
              }
            })
          }
          await rejection(datanode.readSmall(block(77), all(bytes)), 'BlockNotFound')
        },
        { seed },
      )
    }
  })
})

describe('a large block', () => {
  const bytes = patternOf(3, 2_500_000)

  test('is fetched by the member that lacks it', async () => {
    await withPipeline(async (cluster, leader) => {
      const [with1, without] = followersOf(cluster, leader)
      if (with1 === undefined || without === undefined) throw new Error('there are three')
      const agreed = await stream([leader, with1], block(1), bytes)
      await leader.datanode.agreeBlock(agreed)
      // Also a small one, and again.
      const small = await stream([with1, leader], block(2), bytes.subarray(0, 70_000))
      await leader.datanode.agreeBlock(small)
      await leader.datanode.agreeBlock(small)
      await cluster.until('it is everywhere', () => stateOf(without)?.blockCount === 2)
      expect(sameBytes(await collect(without.datanode.read(block(1), all(bytes))), bytes)).toBe(true)
      expect(await without.datanode.listBlocks(1)).toEqual(await leader.datanode.listBlocks(1))
    })
  })

  test('is fetched by a leader that lacks it, and by one whose own stream was given up or goes on', async () => {
    await withPipeline(async (cluster, leader) => {
      const followers = followersOf(cluster, leader)
      const given = await leader.datanode.openWriter(block(1), through)
      await given.write([bytes.subarray(0, 300_000)])
      await given.abort()
      await leader.datanode.agreeBlock(await stream(followers, block(1), bytes))
      const slow = await leader.datanode.openWriter(block(2), through)
      await slow.write([bytes.subarray(0, 300_000)])
      await leader.datanode.agreeBlock(await stream(followers, block(2), bytes))
      await cluster.until('they are everywhere', () => stateOf(leader)?.blockCount === 2)
      await rejection(slow.write([bytes]), 'Aborted')
      for (const local of [1, 2]) {
        expect(sameBytes(await collect(leader.datanode.read(block(local), all(bytes))), bytes)).toBe(true)
      }
    })
  })

  test('waits for holders that are down, through a restart of the one that lacks it', async () => {
    await withPipeline(async (cluster, leader) => {
      const [with1, without] = followersOf(cluster, leader)
      if (with1 === undefined || without === undefined) throw new Error('there are three')
      const heal = cluster.isolate(without.id)
      await leader.datanode.agreeBlock(await stream([leader, with1], block(1), bytes))
      cluster.crash(without.id)
      heal()
      await cluster.start(without.id)
      await cluster.until('it is there', () => stateOf(cluster.member(without.id))?.blockCount === 1)
      const { datanode } = cluster.member(without.id)
      expect(sameBytes(await collect(datanode.read(block(1), all(bytes))), bytes)).toBe(true)
    })
  })

  test('keeps the log for the member that has not got it yet', async () => {
    // The log's messages arrive, and calls do not.
    const messages = ({ clock }: Simulation) => new MemoryNetwork({ clock })
    await withPipeline(
      async (cluster, leader) => {
        const [with1, without] = followersOf(cluster, leader)
        if (with1 === undefined || without === undefined) throw new Error('there are three')
        const heal = cluster.isolate(without.id)
        await leader.datanode.agreeBlock(await stream([leader, with1], block(1), bytes))
        for (let local = 2; local <= 40; local++) {
          await leader.datanode.writeBlock(block(local), [patternOf(local, 5_000)], through)
        }
        // It has applied far more than what it takes for a checkpoint.
        await cluster.until('it has the rest', () => stateOf(without)?.blockCount === 39)
        await cluster.simulation.clock.sleep(500)
        cluster.crash(without.id)
        heal()
        await cluster.start(without.id)
        await cluster.until('it has all', () => stateOf(cluster.member(without.id))?.blockCount === 40)
      },
      { messages },
    )
  })

  test('is agreed to by the leader, on word of a majority', async () => {
    await withPipeline(async (cluster, leader) => {
      const [follower] = followersOf(cluster, leader)
      if (follower === undefined) throw new Error('there are three')
      const agreed = await stream([leader, follower], block(1), bytes)
      await rejection(leader.datanode.agreeBlock({ ...agreed, holders: [leader.id] }), 'InvalidArgument')
      await rejection(leader.datanode.agreeBlock({ ...agreed, holders: [leader.id, 'dn-9'] }), 'InvalidArgument')
      await rejection(leader.datanode.agreeBlock({ ...agreed, pipeline: 'p-9' }), 'Unavailable')
      const { details } = await rejection(follower.datanode.agreeBlock(agreed), 'NotLeader')
      expect(details).toMatchObject({ leader: leader.id })
    })
  })
})

describe('a container', () => {
  test('is closed alike everywhere, and takes no more blocks', async () => {
    await withPipeline(async (cluster, leader) => {
      const { datanode } = leader
      for (let local = 1; local <= 20; local++)
        await datanode.writeBlock(block(local), [patternOf(local, 3000)], through)
      for (const follower of followersOf(cluster, leader)) {
        await rejection(follower.datanode.closeContainer(1), 'NotLeader')
      }
      await Promise.all([datanode.closeContainer(1), datanode.closeContainer(1)])
      const states = await sealed(cluster)
      expect(states).toHaveLength(1)
      expect(states[0]).toMatch(/^CLOSED [0-9a-f]{16}$/)
      await datanode.closeContainer(1)
      await rejection(datanode.writeBlock(block(30), [patternOf(1, 10)], through), 'Unavailable')
      for (const member of cluster.up.values()) {
        await rejection(member.datanode.openWriter(block(30), through), 'Unavailable')
        expect(stateOf(member)).not.toHaveProperty('pipeline')
      }
      // The others of the pipeline are open.
      await datanode.writeBlock(block(1, 2), [patternOf(1, 10)], through)
    })
  })

  test('waits for streams that are under way', async () => {
    await withPipeline(async (cluster, leader) => {
      const members = [...cluster.up.values()]
      const bytes = patternOf(1, 100_000)
      const writers = await Promise.all(members.map(({ datanode }) => datanode.openWriter(block(1), through)))
      const closing = leader.datanode.closeContainer(1)
      await cluster.simulation.clock.sleep(500)
      // No new ones at the leader, so no majority of them is agreed to.
      await rejection(leader.datanode.openWriter(block(2), through), 'Unavailable')
      await rejection(leader.datanode.writeBlock(block(2), [bytes], through), 'Unavailable')
      await Promise.all(writers.map((writer) => writer.write([bytes])))
      const [receipt] = await Promise.all(writers.map((writer) => writer.commit()))
      const agreed = { pipeline, block: block(1), lengthBytes: bytes.length, checksum: receipt?.checksum ?? 0 }
      await leader.datanode.agreeBlock({ ...agreed, holders: cluster.ids })
      await closing
      expect(await sealed(cluster)).toHaveLength(1)
      for (const member of members) expect(stateOf(member)).toMatchObject({ state: 'CLOSED', blockCount: 1 })
    })
  })

  test('keeps nothing that was streamed and never agreed to', async () => {
    await withPipeline(async (cluster, leader) => {
      const [follower] = followersOf(cluster, leader)
      if (follower === undefined) throw new Error('there are three')
      const bytes = patternOf(1, 50_000)
      const agreed = await stream([leader, follower], block(1), bytes)
      await leader.datanode.agreeBlock(agreed)
      // Their clients died before they could have these agreed to.
      const orphan = await stream([leader, follower], block(2), bytes)
      await stream([follower], block(3), bytes)
      await leader.datanode.closeContainer(1)
      const states = await sealed(cluster)
      expect(states).toHaveLength(1)
      expect(states[0]).toMatch(/^CLOSED/)
      for (const member of cluster.up.values()) {
        expect((await member.datanode.listBlocks(1)).map((info) => info.block.local)).toEqual([1])
      }
      await rejection(leader.datanode.agreeBlock(orphan), 'Unavailable')
    })
  })

  test('says so where it holds what nobody agreed to, and does not know it', async () => {
    await withPipeline(async (cluster, leader) => {
      const [odd, other] = followersOf(cluster, leader)
      if (odd === undefined || other === undefined) throw new Error('there are three')
      const bytes = patternOf(1, 50_000)
      await leader.datanode.writeBlock(block(1), [bytes], through)
      // Its client died before it could have it agreed to. A restart does not know that it was never agreed to.
      await stream([odd], block(2), bytes)
      await cluster.stop(odd.id)
      await cluster.start(odd.id)
      await cluster.elected(pipeline)
      await cluster.leader(pipeline)?.datanode.closeContainer(1)
      await sealed(cluster)
      const states = cluster.ids.map((id) => stateOf(cluster.member(id))?.state)
      expect(states.filter((state) => state === 'QUASI_CLOSED')).toHaveLength(1)
      expect(stateOf(cluster.member(odd.id))?.state).toBe('QUASI_CLOSED')
    })
  })

  test('is sealed alone with what is here, when the pipeline is lost', async () => {
    await withPipeline(async (cluster, leader) => {
      const { datanode } = leader
      for (let local = 1; local <= 5; local++)
        await datanode.writeBlock(block(local), [patternOf(local, 3000)], through)
      for (const follower of followersOf(cluster, leader)) cluster.kill(follower.id)
      // In its log, and nowhere else.
      const lost = datanode.writeBlock(block(6), [patternOf(6, 3000)], through)
      await cluster.simulation.clock.sleep(100)
      await Promise.all([rejection(lost, 'OutcomeUnknown'), datanode.closeContainerAlone(1)])
      expect(stateOf(leader)).toMatchObject({ state: 'QUASI_CLOSED', blockCount: 6 })
      expect(datanode.pipelines()).toMatchObject([{ id: pipeline, state: 'failed' }])
      await rejection(datanode.writeBlock(block(1, 2), [patternOf(1, 10)], through), 'Unavailable')
      cluster.crash(leader.id)
      const again = await cluster.start(leader.id)
      if (again === undefined) throw new Error('it starts')
      expect(stateOf(again)).toMatchObject({ state: 'QUASI_CLOSED', blockCount: 6 })
      // It does not come back: what it acknowledged now could not come into the container.
      expect(again.datanode.pipelines()).toMatchObject([{ id: pipeline, state: 'failed' }])
      await again.datanode.closePipeline(pipeline)
      expect(again.datanode.pipelines()).toEqual([])
    })
  })
})

describe('a member', () => {
  test('comes back after a restart, with its containers', async () => {
    await withPipeline(async (cluster, leader) => {
      const bytes = patternOf(1, 3000)
      await leader.datanode.writeBlock(block(1), [bytes], through)
      await cluster.until('all have it', () =>
        [...cluster.up.values()].every((each) => stateOf(each)?.blockCount === 1),
      )
      for (const id of cluster.ids) await cluster.stop(id)
      for (const id of cluster.ids) await cluster.start(id)
      for (const member of cluster.up.values()) {
        expect(stateOf(member)).toMatchObject({ state: 'OPEN', pipeline })
        await rejection(member.datanode.writeBlock(block(2), [bytes]), 'InvalidArgument')
      }
      const { datanode } = await cluster.elected(pipeline)
      await datanode.writeBlock(block(2), [bytes], through)
      await datanode.closeContainer(1)
      expect(await sealed(cluster)).toHaveLength(1)
    })
  })

  test('that lost its disk has no vote until it has learned everything', async () => {
    await withPipeline(async (cluster, leader) => {
      const bytes = patternOf(1, 3000)
      const [victim] = followersOf(cluster, leader)
      if (victim === undefined) throw new Error('there are three')
      await leader.datanode.writeBlock(block(1), [bytes], through)
      cluster.crash(victim.id)
      victim.node.replaceDisk()
      await cluster.start(victim.id)
      expect(cluster.datanode(victim.id).pipelines()).toEqual([])
      await cluster.datanode(victim.id).createPipeline(pipeline, cluster.members)
      await cluster.until('it has the block', () => stateOf(cluster.member(victim.id))?.blockCount === 1)
      await cluster.simulation.clock.sleep(5_000)
      // By then it counts: with one of the others it is a majority.
      cluster.kill(leader.id)
      const next = await cluster.elected(pipeline, leader.id)
      await next.datanode.writeBlock(block(2), [bytes], through)
    })
  })

  test('is not made while others cannot be asked whether it was there before', async () => {
    await new PipelineCluster({ seed: 1 }).run(async (cluster) => {
      cluster.kill('dn-3')
      await rejection(cluster.datanode('dn-1').createPipeline(pipeline, cluster.members), 'Unavailable')
      await rejection(cluster.datanode('dn-1').createPipeline('../x', cluster.members), 'InvalidArgument')
      await rejection(cluster.datanode('dn-1').createPipeline(pipeline, cluster.members.slice(1)), 'InvalidArgument')
      expect(cluster.datanode('dn-1').pipelines()).toEqual([])
      await cluster.start('dn-3')
      await cluster.createPipeline(pipeline)
      await cluster.elected(pipeline)
    })
  })

  test('that is further behind than the logs reach says that it failed, and the others go on', async () => {
    await withPipeline(async (cluster, leader) => {
      const [behind] = followersOf(cluster, leader)
      if (behind === undefined) throw new Error('there are three')
      cluster.kill(behind.id)
      for (let local = 1; local <= 60; local++) {
        await leader.datanode.writeBlock(block(local), [patternOf(local, 20_000)], through)
      }
      await cluster.start(behind.id)
      await cluster.until('it has failed', () => cluster.datanode(behind.id).pipelines()[0]?.state === 'failed')
      await leader.datanode.writeBlock(block(70), [patternOf(1, 10)], through)
      expect(leader.datanode.pipelines()).toMatchObject([{ state: 'open', leader: leader.id }])
      await cluster.datanode(behind.id).closePipeline(pipeline)
    })
  })

  test('whose log fails says so, and another leads', async () => {
    await withPipeline(async (cluster, leader) => {
      await leader.datanode.writeBlock(block(1), [patternOf(1, 3000)], through)
      leader.node.disk.inject({ operation: 'sync', errno: 'EIO', path: /pipelines\/.*segment/ })
      await rejection(leader.datanode.writeBlock(block(2), [patternOf(1, 3000)], through), 'OutcomeUnknown')
      expect(leader.datanode.pipelines()).toMatchObject([{ state: 'failed', leader: undefined }])
      const next = await cluster.elected(pipeline, leader.id)
      await next.datanode.writeBlock(block(3), [patternOf(3, 3000)], through)
      await leader.datanode.closeContainerAlone(1)
      expect(stateOf(leader)?.state).toBe('QUASI_CLOSED')
      expect(await leader.datanode.readSmall(block(1), { offset: 0, length: 3000 })).toEqual(patternOf(1, 3000))
    })
  })

  test('that leaves seals what is open, and forgets the pipeline for good', async () => {
    await withPipeline(async (cluster, leader) => {
      await leader.datanode.writeBlock(block(1), [patternOf(1, 3000)], through)
      await leader.datanode.writeBlock(block(1, 2), [patternOf(1, 3000)], through)
      await leader.datanode.closeContainer(2)
      await sealed(cluster, 2)
      for (const { datanode } of cluster.up.values()) {
        await datanode.closePipeline(pipeline)
        await datanode.closePipeline(pipeline)
        expect(datanode.pipelines()).toEqual([])
      }
      for (const member of cluster.up.values()) {
        expect(stateOf(member, 1)?.state).toBe('QUASI_CLOSED')
        expect(stateOf(member, 2)?.state).toBe('CLOSED')
        expect(await member.process.disk.list('/disk1/pipelines')).toEqual([])
      }
      // What was acknowledged is on a majority, at least.
      const holders = [...cluster.up.values()].filter((member) => stateOf(member, 1)?.blockCount === 1)
      expect(holders.length).toBeGreaterThanOrEqual(2)
    })
  })
})
