import { SimRandom } from '@o3/common/env/sim'
import type { EcPolicy } from '@o3/scm/api'
import { describe, expect, test } from 'vitest'
import { shapeOf } from '../../src/core/ec/ec-shape.ts'
import { reconstructShards } from '../../src/ec/reconstruct-shards.ts'
import type { ReconstructRequest } from '../../src/ec/reconstruct-shards.ts'
import { sameBytes } from '../harness/bytes.ts'
import type { EcScene } from '../harness/ec-scene.ts'
import { parent, slownessMs, withEcScene } from '../harness/ec-scene.ts'
import { rejection } from '../harness/expect-error.ts'

const policies: readonly EcPolicy[] = ['rs-3-2-1024k', 'rs-6-3-1024k', 'rs-10-4-1024k']
const here = { datanode: 'dn-here', address: undefined }

/** Into containers from 500 on. */
const request = (scene: EcScene, wanted: readonly number[]): ReconstructRequest => {
  const { policy, shards } = scene.layout()
  const moved = shards.map((shard, i) => (wanted.includes(i) ? { container: 500 + i, replicas: [] } : shard))
  return { container: parent, layout: { policy, shards: moved }, wanted }
}

async function everything(scene: EcScene, container: number): Promise<ReadonlyMap<number, Uint8Array>> {
  const { datanode } = scene.scene
  const found = new Map<number, Uint8Array>()
  for (const { block, lengthBytes } of await datanode.listBlocks(container)) {
    found.set(block.local, await datanode.readSmall(block, { offset: 0, length: lengthBytes }))
  }
  return found
}

async function expectSameShards(scene: EcScene, wanted: readonly number[]): Promise<void> {
  for (const shard of wanted) {
    const made = await everything(scene, 500 + shard)
    const original = await everything(scene, 100 + shard)
    expect([...made.keys()]).toEqual([...original.keys()])
    for (const [local, bytes] of original) expect(sameBytes(made.get(local)!, bytes)).toBe(true)
    const report = scene.scene.datanode.containers().find(({ id }) => id === 500 + shard)
    expect(report).toMatchObject({ state: 'CLOSED' })
  }
}

describe.each(policies)('%s', (policy) => {
  const { parityShards } = shapeOf(policy)

  test.each([1, 2, 3, 4, 5])('shards are made anew, byte by byte, several at once: seed %i', async (seed) => {
    const random = new SimRandom(`ec-reconstruct/${policy}/${seed}`)
    await withEcScene(
      async (scene) => {
        await scene.fill(Array.from({ length: 1 + random.below(9) }, () => random.below(60_000)))
        await scene.encode()
        const lost = new Set<number>()
        while (lost.size < parityShards) lost.add(random.below(scene.count))
        const wanted = [...lost].slice(0, 1 + random.below(parityShards))
        for (const shard of lost) {
          if (!wanted.includes(shard)) scene.set(shard, (['away', 'rotten', 'slow'] as const)[random.below(3)]!)
        }
        await reconstructShards(request(scene, wanted), { ...scene.work, here, hedgeAfterMs: 50 })
        for (const shard of lost) scene.set(shard, 'up')
        await expectSameShards(scene, wanted)
      },
      { policy },
    )
  })
})

test('a slow source is waited for once', async () => {
  await withEcScene(async (scene) => {
    const { clock } = scene.scene.machine.env
    await scene.fill([200_000])
    await scene.encode()
    scene.set(1, 'slow')
    const from = clock.monotonicMs()
    await reconstructShards(request(scene, [0]), { ...scene.work, here, hedgeAfterMs: 1_000 })
    expect(clock.monotonicMs() - from).toBeLessThan(5_000)
    await expectSameShards(scene, [0])
    await clock.sleep(slownessMs)
  })
})

test.each([1, 2, 3, 4, 5, 6])('interrupted by a power cut it ends well the next time: seed %i', async (seed) => {
  const random = new SimRandom(`ec-reconstruct-crash/${seed}`)
  await withEcScene(async (scene) => {
    await scene.fill([50_000, 3, 20_000])
    await scene.encode()
    const { machine } = scene.scene
    let left = random.below(18)
    scene.onWrite = async () => {
      if (left-- === 0) machine.node.crash()
    }
    const outcome = await machine.node.whileUp(reconstructShards(request(scene, [4, 1]), { ...scene.work, here }))
    if (outcome !== 'down') machine.node.crash()
    await machine.start()
    await reconstructShards(request(scene, [4, 1]), { ...scene.work, here })
    await expectSameShards(scene, [4, 1])
    scene.calls = []
    await reconstructShards(request(scene, [4, 1]), { ...scene.work, here })
    expect(scene.calls.filter(({ method }) => method === 'writeBlock')).toEqual([])
  })
})

test('too few that are left: nothing is made, and it says why', async () => {
  await withEcScene(async (scene) => {
    await scene.fill([50_000])
    await scene.encode()
    for (const shard of [2, 3]) scene.set(shard, 'rotten')
    await rejection(reconstructShards(request(scene, [0]), { ...scene.work, here }), 'Damaged')
    scene.set(3, 'away')
    await rejection(reconstructShards(request(scene, [0]), { ...scene.work, here }), 'Unavailable')
    expect(scene.scene.datanode.containers().find(({ id }) => id === 500)?.state).not.toBe('CLOSED')
  })
})

test('shards that do not give back the blocks make no other shard', async () => {
  await withEcScene(async (scene) => {
    await scene.fill([50_000])
    await scene.encode()
    const wanted = request(scene, [0])
    const shards = wanted.layout.shards.toSpliced(1, 2, wanted.layout.shards[2]!, wanted.layout.shards[1]!)
    const mixed = { ...wanted, layout: { ...wanted.layout, shards } }
    await rejection(reconstructShards(mixed, { ...scene.work, here }), 'Damaged')
    expect(scene.scene.datanode.containers().find(({ id }) => id === 500)?.state).not.toBe('CLOSED')
  })
})

test('a container that holds something else is left alone', async () => {
  await withEcScene(async (scene) => {
    await scene.fill([50_000])
    await scene.encode()
    const wanted = request(scene, [0])
    await scene.scene.datanode.writeBlock({ container: 500, local: 1 }, [new Uint8Array(10)])
    await rejection(reconstructShards(wanted, { ...scene.work, here }), 'ConcurrentChange')
    const shards = wanted.layout.shards.with(0, { container: 101, replicas: [] })
    const taken = { ...wanted, layout: { ...wanted.layout, shards } }
    await rejection(reconstructShards(taken, { ...scene.work, here }), 'Damaged')
  })
})
