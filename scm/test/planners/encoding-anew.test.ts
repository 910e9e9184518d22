/** One encoded container of ten blocks, and what SCM asks of its datanodes as they are deleted. */

import { expect, test } from 'vitest'
import type { DatanodeCommand } from '../../src/api/api.ts'
import { GiB } from './facts.ts'
import { ModelCluster } from './model-cluster.ts'
import { modelBlocks } from './model-node.ts'

const container = 1

async function encoded(config: ConstructorParameters<typeof ModelCluster>[0]['config'] = {}): Promise<ModelCluster> {
  const cluster = new ModelCluster({ seed: 'anew', config: { encodeAfterMs: 5_000, ...config } })
  for (let n = 0; n < 7; n++) cluster.addNode(`n${n}`, { rack: `/r${n}`, capacityBytes: 100 * GiB })
  cluster.addContainer(container, 'EC/rs-3-2-1024k', ['n0', 'n1', 'n2'], GiB)
  await steps(cluster, 40)
  expect(cluster.row(container)?.ec?.blocks).toBe(10)
  return cluster
}

async function steps(cluster: ModelCluster, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await cluster.step()
}

/** What is in the shards, by what is on the disks. */
function holdsOf(cluster: ModelCluster): readonly number[] {
  const [shard = 0] = cluster.row(container)?.ec?.shards ?? []
  return [...cluster.datanodes.values()].flatMap(({ replicas }) => [...(replicas.get(shard)?.holds ?? [])])
}

function asked(cluster: ModelCluster): Extract<DatanodeCommand, { kind: 'encode-container' }> | undefined {
  const commands = cluster.manager.underWay().map(({ command }) => command)
  return commands.find((command) => command?.kind === 'encode-container')
}

test('less than half stays where it is; with half of them it is encoded without them', async () => {
  const cluster = await encoded()
  const { shards: old = [] } = cluster.row(container)?.ec ?? {}
  cluster.deleteEncoded(container, [1, 2, 3, 9])
  await steps(cluster, 30)
  expect(cluster.row(container)).toMatchObject({ deletedBlocks: 4, ec: { shards: old } })
  cluster.deleteEncoded(container, [4])
  await steps(cluster, 1)
  expect(asked(cluster)).toMatchObject({
    from: { shards: old.map((shard) => ({ container: shard })) },
    leaveOut: [
      { firstLocal: 1, count: 4 },
      { firstLocal: 9, count: 1 },
    ],
    worthShare: 0.4,
  })
  // Asked for meanwhile: it waits for the next time.
  cluster.deleteEncoded(container, [5])
  await steps(cluster, 30)
  expect(holdsOf(cluster)).toEqual([5, 6, 7, 8, 10])
  expect(cluster.row(container)).toMatchObject({ deletedBlocks: 1, ec: { blocks: 5, leaveOut: undefined } })
  expect(cluster.recordsOf(container).map(({ blocks }) => blocks[0]?.firstLocal)).toEqual([5])
  for (const shard of old) expect(cluster.goodReplicas(shard)).toEqual([])
})

test('a datanode that finds the bytes too few is asked again when noticeably more is deleted', async () => {
  const cluster = await encoded()
  for (let times = 0; times < 2; times++) cluster.deleteEncoded(container, [1, 2, 3])
  await steps(cluster, 90)
  expect(cluster.anew).toMatchObject({ declined: 1, encoded: 0 })
  cluster.deleteEncoded(container, [4])
  await steps(cluster, 60)
  expect(cluster.anew).toMatchObject({ declined: 1, encoded: 0 })
  cluster.deleteEncoded(container, [5])
  await steps(cluster, 30)
  expect(cluster.anew).toMatchObject({ declined: 1, encoded: 1 })
  expect(holdsOf(cluster)).toEqual([6, 7, 8, 9, 10])
})

test('what was deleted while it was asked has not been declined', async () => {
  const cluster = await encoded()
  for (let times = 0; times < 2; times++) cluster.deleteEncoded(container, [1, 2, 3])
  await steps(cluster, 2)
  expect(asked(cluster)).toBeDefined()
  cluster.deleteEncoded(container, [4, 5])
  await steps(cluster, 60)
  expect(cluster.anew).toMatchObject({ declined: 1, encoded: 1 })
})

test('with more ranges than one command may have, it is encoded several times', async () => {
  const cluster = await encoded({ maxLeftOutRanges: 2 })
  for (const local of [1, 3, 5, 7, 9]) cluster.deleteEncoded(container, [local])
  await steps(cluster, 1)
  expect(asked(cluster)).toMatchObject({ leaveOut: [{ firstLocal: 1 }, { firstLocal: 3 }], worthShare: 0.4 * (2 / 5) })
  await steps(cluster, 20)
  // What is left is less than half of what is there: it waits.
  expect(holdsOf(cluster)).toEqual([2, 4, 5, 6, 7, 8, 9, 10])
  expect(cluster.row(container)?.deletedBlocks).toBe(3)
})

test('when everything is deleted it goes, with its shards and its records, and nothing is encoded', async () => {
  const cluster = await encoded()
  for (const local of modelBlocks) cluster.deleteEncoded(container, [local])
  await steps(cluster, 60)
  expect(cluster.allContainers()).toEqual([])
  expect(cluster.recordsOf(container)).toEqual([])
  expect([...cluster.datanodes.values()].flatMap(({ replicas }) => [...replicas.keys()])).toEqual([])
  expect(cluster.anew).toMatchObject({ encoded: 0, 'nothing-left': 1 })
})

test('another leader goes on with the same shards, and leaves out the same', async () => {
  const cluster = await encoded()
  cluster.deleteEncoded(container, [1, 2, 3, 4, 5])
  await steps(cluster, 2)
  const before = asked(cluster)
  cluster.deleteEncoded(container, [6, 7])
  cluster.newLeader()
  await steps(cluster, 1)
  expect(asked(cluster)).toMatchObject({ shards: before?.shards, leaveOut: before?.leaveOut })
  expect(asked(cluster)?.task).not.toBe(before?.task)
  await steps(cluster, 30)
  expect(holdsOf(cluster)).toEqual([6, 7, 8, 9, 10])
  expect(cluster.row(container)?.deletedBlocks).toBe(2)
})

test('no more are encoded anew at the same time than may be', async () => {
  const cluster = await encoded({ maxEncodingsAnew: 1 })
  for (const id of [20, 21, 22]) cluster.addContainer(id, 'EC/rs-3-2-1024k', ['n0', 'n1', 'n2'], GiB)
  cluster.newLeader()
  await steps(cluster, 60)
  for (const id of [container, 20, 21, 22]) cluster.deleteEncoded(id, [1, 2, 3, 4, 5])
  for (let second = 0; second < 80; second++) {
    await cluster.step()
    expect(cluster.manager.underWay().filter(({ kind }) => kind === 'encode').length).toBeLessThanOrEqual(1)
  }
  expect(cluster.anew.encoded).toBe(4)
})
