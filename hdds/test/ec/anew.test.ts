/** The command to encode anew without what was deleted, and those who read meanwhile. */

import type { ContainerPlace, DatanodeCommand, EncodingReport } from '@o3/scm/api'
import { expect, test } from 'vitest'
import { BlockClient } from '../../src/client/client.ts'
import type { FindDatanode } from '../../src/client/client.ts'
import { carryOutEcCommand } from '../../src/ec/ec-commands.ts'
import { sameBytes } from '../harness/bytes.ts'
import { parent, withEcScene } from '../harness/ec-scene.ts'
import type { EcScene } from '../harness/ec-scene.ts'
import { collect, rejection } from '../harness/expect-error.ts'

const sizes = [30_000, 500, 0, 80_000, 7_000, 30]
/** Of the blocks with these sizes. */
const locals = sizes.map((_, n) => 3 * n + 2)
const [first = 0, , , large = 0] = locals

const commandOf = (
  scene: EcScene,
  rest: Partial<Extract<DatanodeCommand, { kind: 'encode-container' }>>,
): Extract<DatanodeCommand, { kind: 'encode-container' }> => {
  const shards = scene.layout(200).shards.map(({ container }, n) => {
    return { container, at: { datanode: `dn-${n}`, address: undefined } }
  })
  const fields = { task: 't', container: parent, policy: scene.policy, shards, from: scene.layout() }
  return { kind: 'encode-container', ...fields, ...rest }
}

async function carryOut(scene: EcScene, command: ReturnType<typeof commandOf>): Promise<EncodingReport | undefined> {
  let report: EncodingReport | undefined
  await carryOutEcCommand(command, {
    ...scene.work,
    datanode: scene.scene.datanode,
    encoded: (encoding) => {
      report = encoding
    },
  })
  return report
}

async function encoded(scene: EcScene): Promise<ReadonlyMap<number, Uint8Array>> {
  const contents = await scene.fill(sizes)
  await scene.encode()
  await scene.scene.datanode.deleteContainer(parent)
  return contents
}

async function expectBlocks(scene: EcScene, contents: Iterable<readonly [number, Uint8Array]>): Promise<void> {
  for (const [local, bytes] of contents) {
    const range = { offset: 0, length: bytes.length }
    const read = await collect(scene.reader().read(scene.place(200), { container: parent, local }, range))
    expect(sameBytes(read, bytes), `block ${local}`).toBe(true)
  }
}

test('out of the old shards, of which some may be missing: what is left is the same, and the rest is gone', async () => {
  await withEcScene(async (scene) => {
    const contents = await encoded(scene)
    // One is nowhere.
    const from = { ...scene.layout(), shards: scene.layout().shards.with(3, { container: 103, replicas: [] }) }
    const written = new Set<number>()
    scene.onWrite = async ({ container }) => void written.add(container)
    const leaveOut = [
      { firstLocal: 1, count: 4 },
      { firstLocal: large, count: 1 },
    ]
    const report = await carryOut(scene, commandOf(scene, { from, leaveOut, worthShare: 0.4 }))
    expect(report).toEqual({ kind: 'encoded', blocks: 4 })
    expect(written).toEqual(new Set([200, 201, 202, 203, 204]))
    await expectBlocks(
      scene,
      [...contents].filter(([local]) => local !== first && local !== large),
    )
    for (const local of [first, large]) {
      const gone = scene.reader().readSmall(scene.place(200), { container: parent, local }, { offset: 0, length: 1 })
      await rejection(gone, 'BlockNotFound')
    }
    // Again, as another leader asks for it: everything is found done.
    written.clear()
    expect(await carryOut(scene, commandOf(scene, { from, leaveOut }))).toEqual({ kind: 'encoded', blocks: 4 })
    expect([...written]).toEqual([])
  })
})

test('a shard that is lost on the way is done without', async () => {
  await withEcScene(async (scene) => {
    const contents = await encoded(scene)
    let writes = 0
    scene.onWrite = async () => {
      if (++writes === 8) await scene.scene.datanode.deleteContainer(102)
    }
    const leaveOut = [{ firstLocal: first, count: 1 }]
    expect(await carryOut(scene, commandOf(scene, { leaveOut }))).toEqual({ kind: 'encoded', blocks: 5 })
    await expectBlocks(
      scene,
      [...contents].filter(([local]) => local !== first),
    )
  })
})

test('with too few shards left it fails, and is none the worse for it', async () => {
  await withEcScene(async (scene) => {
    const contents = await encoded(scene)
    for (const shard of [0, 1, 2]) scene.set(shard, 'away')
    const leaveOut = [{ firstLocal: first, count: 1 }]
    await rejection(carryOut(scene, commandOf(scene, { leaveOut })), 'Unavailable')
    for (const shard of [0, 1, 2]) scene.set(shard, 'up')
    await carryOut(scene, commandOf(scene, { leaveOut }))
    await expectBlocks(
      scene,
      [...contents].filter(([local]) => local !== first),
    )
  })
})

test.each<readonly [string, readonly number[], number, EncodingReport]>([
  ['too few bytes', locals.slice(1, 3), 0.4, { kind: 'declined', blocks: 4 }],
  ['everything', locals, 0.4, { kind: 'nothing-left', blocks: 0 }],
])('of %s to leave out it says so, and writes nothing', async (_, left, worthShare, expected) => {
  await withEcScene(async (scene) => {
    await encoded(scene)
    let writes = 0
    scene.onWrite = async () => void writes++
    const leaveOut = left.map((firstLocal) => ({ firstLocal, count: 1 }))
    expect(await carryOut(scene, commandOf(scene, { leaveOut, worthShare }))).toEqual(expected)
    expect(writes).toBe(0)
  })
})

/** A client that is told where the container is, and asks again only when it must. */
function clientOf(scene: EcScene): { readonly client: BlockClient; place: ContainerPlace; asked: number } {
  const state = {
    asked: 0,
    place: {
      container: parent,
      state: 'CLOSED',
      replication: 'EC/rs-3-2-1024k',
      pipeline: undefined,
      replicas: [],
      ec: scene.layout(),
    } as ContainerPlace,
  }
  const client = new BlockClient({
    env: scene.scene.machine.env,
    locations: {
      locate: async () => {
        state.asked += 1
        return state.place
      },
    },
    datanode: scene.find as FindDatanode,
    encoded: () => scene.reader(),
  })
  return Object.assign(state, { client })
}

/** The new shards are there, and the old ones go. */
async function replace(scene: EcScene, known: ReturnType<typeof clientOf>): Promise<void> {
  await carryOut(scene, commandOf(scene, { leaveOut: [{ firstLocal: first, count: 1 }] }))
  known.place = { ...known.place, ec: scene.layout(200) }
  for (const { container } of scene.layout().shards) await scene.scene.datanode.deleteContainer(container)
}

test('a reader in mid-stream over the old shards goes on over the new ones, byte by byte', async () => {
  await withEcScene(async (scene) => {
    const contents = await encoded(scene)
    const known = clientOf(scene)
    const bytes = contents.get(large) ?? new Uint8Array(0)
    const range = { offset: 5_000, length: bytes.length - 5_000 }
    const pieces = known.client.read({ container: parent, local: large }, range)[Symbol.asyncIterator]()
    const read: Uint8Array[] = []
    for (let step = await pieces.next(); step.done !== true; step = await pieces.next()) {
      read.push(Uint8Array.from(step.value))
      if (read.length === 2) await replace(scene, known)
    }
    expect(read.length).toBeGreaterThan(2)
    expect(sameBytes(Buffer.concat(read), bytes.subarray(5_000))).toBe(true)
    expect(known.asked).toBe(2)
  })
})

test('a reader that remembers the old shards finds the new ones, and then remembers those', async () => {
  await withEcScene(async (scene) => {
    const contents = await encoded(scene)
    const known = clientOf(scene)
    const bytes = contents.get(large) ?? new Uint8Array(0)
    const block = { container: parent, local: large }
    const readBoth = async (): Promise<void> => {
      const small = await known.client.readSmall(block, { offset: 100, length: 9_000 })
      expect(sameBytes(small, bytes.subarray(100, 9_100))).toBe(true)
      const whole = await collect(known.client.read(block, { offset: 0, length: bytes.length }))
      expect(sameBytes(whole, bytes)).toBe(true)
    }
    await readBoth()
    await replace(scene, known)
    await readBoth()
    await readBoth()
    expect(known.asked).toBe(2)
  })
})

test('a reader of what cannot be read where it is gives up when SCM knows of no other place', async () => {
  await withEcScene(async (scene) => {
    await encoded(scene)
    const known = clientOf(scene)
    for (const shard of [0, 1, 2]) scene.set(shard, 'away')
    const block = { container: parent, local: large }
    await rejection(known.client.readSmall(block, { offset: 0, length: 10 }), 'Unavailable')
    await rejection(collect(known.client.read(block, { offset: 0, length: 10 })), 'Unavailable')
    const asked = known.asked
    // What was deleted is nowhere: nobody need be asked.
    for (const shard of [0, 1, 2]) scene.set(shard, 'up')
    await rejection(known.client.readSmall({ container: parent, local: 99 }, { offset: 0, length: 1 }), 'BlockNotFound')
    expect(known.asked).toBe(asked)
  })
})
