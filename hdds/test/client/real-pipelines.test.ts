/** The block client against pipelines of real datanodes, over the simulated network, while their machines die. */

import { isStoreError } from '@o3/common/errors'
import { trustedClient } from '@o3/common/rpc'
import { expect, test } from 'vitest'
import { BlockClient, DatanodeDirectory } from '../../src/client/client.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { collect } from '../harness/expect-error.ts'
import { PipelineCluster } from '../harness/pipeline-cluster.ts'

const KiB = 1024
const pipeline = 'p-1'
const block = (local: number, container = 1) => ({ container, local })
const all = (bytes: Uint8Array) => ({ offset: 0, length: bytes.length })

interface Scene {
  readonly cluster: PipelineCluster
  readonly client: BlockClient
  stream(local: number, bytes: Uint8Array, between?: (at: number) => Promise<void> | void): Promise<readonly string[]>
}

async function withClient(script: (scene: Scene) => Promise<void>, seed = 1): Promise<void> {
  await new PipelineCluster({ seed }).run(async (cluster) => {
    await cluster.createPipeline(pipeline)
    await cluster.elected(pipeline)
    const env = cluster.simulation.node('gateway').boot()
    const directory = new DatanodeDirectory({ env, authentication: trustedClient })
    const client = new BlockClient({
      env,
      datanode: directory.find,
      locations: {
        locate: (container) =>
          Promise.resolve({
            container,
            state: 'OPEN',
            replication: 'RATIS/THREE',
            pipeline,
            replicas: cluster.members,
            ec: undefined,
          }),
      },
    })
    const stream: Scene['stream'] = async (local, bytes, between = () => {}) => {
      const writer = await client.openWriter(block(local))
      const buffer = new Uint8Array(64 * KiB)
      for (let at = 0; at < bytes.length; at += buffer.length) {
        await between(at)
        const part = bytes.subarray(at, at + buffer.length)
        buffer.set(part)
        await writer.write([buffer.subarray(0, part.length)])
        buffer.fill(0xaa)
      }
      return (await writer.commit()).datanodes
    }
    await script({ cluster, client, stream })
    directory.close()
  })
}

async function expectRead({ client }: Scene, local: number, bytes: Uint8Array): Promise<void> {
  expect(sameBytes(await collect(client.read(block(local), all(bytes))), bytes)).toBe(true)
  const small = { offset: 0, length: Math.min(1_000, bytes.length) }
  expect(sameBytes(await client.readSmall(block(local), small), bytes.subarray(0, small.length))).toBe(true)
}

test('blocks are written and read while all is well', async () => {
  await withClient(async (scene) => {
    const small = patternOf(1, 5_000)
    await scene.client.writeBlock(block(1), [small])
    const large = patternOf(2, 1_000 * KiB)
    expect([...(await scene.stream(2, large))].toSorted()).toEqual(['dn-1', 'dn-2', 'dn-3'])
    await expectRead(scene, 1, small)
    await expectRead(scene, 2, large)
  })
})

test.each(['leader', 'follower'] as const)(
  'the loss of the %s in the middle of a stream is noticed by nobody',
  async (who) => {
    await withClient(async (scene) => {
      const { cluster } = scene
      const bytes = patternOf(2, 1_000 * KiB)
      const leader = await cluster.elected(pipeline)
      const victim = who === 'leader' ? leader.id : cluster.ids.find((id) => id !== leader.id)!
      const holders = await scene.stream(1, bytes, (at) => {
        if (at === 512 * KiB) cluster.crash(victim)
      })
      expect(holders).toHaveLength(2)
      await expectRead(scene, 1, bytes)
      await scene.client.writeBlock(block(2), [bytes.subarray(0, 5_000)])
      await expectRead(scene, 2, bytes.subarray(0, 5_000))
      // It comes back, and is read from like the others.
      await cluster.start(victim)
      await cluster.until('it has caught up', async () => {
        const blocks = await cluster.datanode(victim).listBlocks(1)
        return blocks.length === 2
      })
      // A client that could not connect tries again after a while.
      await cluster.simulation.clock.sleep(10_000)
      for (const id of cluster.ids) if (id !== victim) cluster.kill(id)
      await expectRead(scene, 1, bytes)
    })
  },
)

test('a partitioned leader costs a small write some seconds, and no error', async () => {
  await withClient(async (scene) => {
    const { cluster, client } = scene
    const bytes = patternOf(3, 5_000)
    await client.writeBlock(block(1), [bytes])
    const leader = await cluster.elected(pipeline)
    const heals = ['gateway', ...cluster.ids.filter((id) => id !== leader.id)].flatMap((other) => [
      cluster.simulation.network.block(leader.id, other),
      cluster.simulation.network.block(other, leader.id),
    ])
    const startMs = cluster.simulation.nowMs
    await client.writeBlock(block(2), [bytes])
    expect(cluster.simulation.nowMs - startMs).toBeLessThan(5_000)
    await expectRead(scene, 2, bytes)
    for (const heal of heals) heal()
  })
})

test('what was acknowledged is read, whoever dies one after the other', { timeout: 120_000 }, async () => {
  for (let seed = 1; seed <= 3; seed++) {
    await withClient(async (scene) => {
      const { cluster, client } = scene
      const random = cluster.simulation.random.fork('client')
      const acknowledged = new Map<number, Uint8Array>()
      let isOver = false
      const killing = (async () => {
        while (!isOver) {
          await cluster.simulation.clock.sleep(random.below(3_000))
          const victim = cluster.ids[random.below(3)]!
          if (random.chance(0.5)) cluster.crash(victim)
          else cluster.kill(victim)
          await cluster.simulation.clock.sleep(random.below(2_000))
          await cluster.start(victim)
          await cluster.elected(pipeline)
          await cluster.simulation.clock.sleep(1_000)
        }
      })()
      let failures = 0
      const write = async (local: number): Promise<void> => {
        const bytes = patternOf(local, 1 + random.below(random.chance(0.5) ? 5_000 : 400_000))
        try {
          if (bytes.length < 5_000) await client.writeBlock(block(local), [bytes])
          else await scene.stream(local, bytes)
          acknowledged.set(local, bytes)
        } catch (error) {
          if (!isStoreError(error, 'Unavailable', 'OutcomeUnknown')) throw error
          failures++
        }
      }
      for (let local = 1; local <= 60; local += 2) {
        await Promise.all([write(local), write(local + 1)])
        await cluster.simulation.clock.sleep(random.below(300))
      }
      isOver = true
      await killing
      for (const [local, bytes] of acknowledged) await expectRead(scene, local, bytes)
      expect(acknowledged.size, `seed ${seed}, ${failures} failures`).toBeGreaterThan(40)
    }, seed)
  }
})
