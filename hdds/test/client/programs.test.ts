/**
 * Random programs of writers and readers, while datanodes die, hang, come back, lag behind, rot and change their leader. What
 * was acknowledged is on a majority and is read back as it was written, or an error is told; nothing is left open.
 * `HDDS_CLIENT_SEEDS=1-2000 npx vitest run hdds/test/client/programs.test.ts` runs more.
 */

import type { SimRandom } from '@o3/common/env/sim'
import { StoreError } from '@o3/common/errors'
import type { BlockId } from '@o3/scm/api'
import { expect, test } from 'vitest'
import { patternOf, piecesOf, sameBytes } from '../harness/bytes.ts'
import { broken, said, textOf, withPipeline } from '../harness/memory-pipeline.ts'
import type { Fate, PipelineScene, Step } from '../harness/memory-pipeline.ts'

const stepsOfReads: readonly Step[] = ['read', 'piece', 'readSmall']
/** What a writer or reader may be told when datanodes fail, and nothing else. */
const excuses = ['Unavailable', 'OutcomeUnknown', 'VolumeFailed'] as const

interface Life {
  readonly scene: PipelineScene
  readonly random: SimRandom
  readonly acknowledged: Map<string, { readonly block: BlockId; readonly bytes: Uint8Array }>
  nextLocal: number
  isOver: boolean
  failures: number
  reads: number
}

function fateOf(random: SimRandom, step: Step): Fate | undefined {
  if (!random.chance(0.08)) return random.chance(0.2) ? { delayMs: random.below(60) } : undefined
  const isRead = stepsOfReads.includes(step)
  switch (random.below(5)) {
    case 0:
      return { error: broken() }
    case 1:
      return { silent: true }
    case 2:
      return { delayMs: random.below(1_500) }
    case 3:
      if (isRead) return { truncated: step !== 'readSmall' }
      // A datanode whose caller has not heard that the block is open forgets it: the call has broken off.
      return step === 'openWriter' ? { error: broken() } : { errorAfter: broken('OutcomeUnknown') }
    default:
      return isRead ? { error: said('Damaged') } : { error: said('VolumeFailed') }
  }
}

/** One member is down or troubled at a time, now and then two. */
async function trouble({ scene, random }: Life, over: () => boolean): Promise<void> {
  const { replicas, group, clock } = scene
  while (!over()) {
    await clock.sleep(random.below(800))
    const victims = replicas.filter(() => random.chance(0.35))
    for (const victim of victims) {
      const isDown = random.chance(0.5)
      victim.isUp = !isDown
      if (!isDown) victim.script = (step) => fateOf(random, step)
    }
    if (random.chance(0.5) || victims.some(({ id }) => id === group.leader)) {
      group.leader = undefined
      if (random.chance(0.5)) group.named = undefined
      clock.after(random.below(1_500), () => {
        const next = group.up[random.below(group.up.length)]?.id
        Object.assign(group, { leader: next, named: next })
      })
    }
    await clock.sleep(random.below(1_500))
    for (const victim of victims) {
      victim.isUp = true
      victim.script = () => undefined
    }
    heal(scene)
  }
}

/** What the log brings to members that were away. */
function heal({ replicas }: PipelineScene): void {
  const all = new Map<string, Uint8Array>()
  for (const { blocks } of replicas) for (const [name, bytes] of blocks) all.set(name, bytes)
  for (const { blocks } of replicas) for (const [name, bytes] of all) blocks.set(name, bytes)
}

async function writer(life: Life): Promise<void> {
  const { scene, random } = life
  for (let i = 0; i < 12; i++) {
    const block = { container: 1, local: life.nextLocal++ }
    const isSmall = random.chance(0.5)
    const bytes = patternOf(block.local, 1 + random.below(isSmall ? 5_000 : 400_000))
    try {
      const holders = isSmall ? await small(life, block, bytes) : await stream(life, block, bytes)
      if (holders < 2) throw new Error(`block ${textOf(block)} is acknowledged by ${holders} members`)
      life.acknowledged.set(textOf(block), { block, bytes })
    } catch (error) {
      noteFailure(life, error)
    }
    await scene.clock.sleep(random.below(200))
  }
}

async function small({ scene }: Life, block: BlockId, bytes: Uint8Array): Promise<number> {
  await scene.client.writeBlock(block, piecesOf(bytes, 1_000))
  return holdersOf(scene, block, bytes)
}

/** Out of one buffer, which is spoiled after each write: whoever still reads it has the wrong bytes. */
async function stream({ scene, random }: Life, block: BlockId, bytes: Uint8Array): Promise<number> {
  const buffer = new Uint8Array(64 * 1024)
  const opened = await scene.client.openWriter(block)
  for (let at = 0; at < bytes.length; at += buffer.length) {
    const part = bytes.subarray(at, at + buffer.length)
    buffer.set(part)
    await opened.write([buffer.subarray(0, part.length)])
    buffer.fill(0xaa)
    if (random.chance(0.02)) {
      await opened.abort()
      throw new StoreError('Unavailable', 'the writer has changed its mind')
    }
  }
  const { datanodes } = await opened.commit()
  expect(scene.group.agreed.has(textOf(block))).toBe(true)
  return Math.min(datanodes.length, holdersOf(scene, block, bytes))
}

function holdersOf({ replicas }: PipelineScene, block: BlockId, bytes: Uint8Array): number {
  return replicas.filter(({ blocks }) => {
    const held = blocks.get(textOf(block))
    return held !== undefined && sameBytes(held, bytes)
  }).length
}

async function reader(life: Life): Promise<void> {
  const { scene, random } = life
  while (!life.isOver) {
    await scene.clock.sleep(random.below(150))
    const known = [...life.acknowledged.values()]
    const found = known[random.below(known.length)]
    if (found === undefined) continue
    const offset = random.below(found.bytes.length)
    const range = { offset, length: random.below(found.bytes.length - offset + 1) }
    try {
      await readOnce(life, found, range)
      life.reads++
    } catch (error) {
      noteFailure(life, error)
    }
  }
}

type Acknowledged = Life['acknowledged'] extends ReadonlyMap<string, infer A> ? A : never

async function readOnce(
  { scene, random }: Life,
  { block, bytes }: Acknowledged,
  range: { readonly offset: number; readonly length: number },
): Promise<void> {
  const { offset, length } = range
  if (length < 10_000) {
    assertSame(await scene.client.readSmall(block, range), bytes.subarray(offset, offset + length))
    return
  }
  let at = offset
  for await (const piece of scene.client.read(block, range)) {
    assertSame(piece, bytes.subarray(at, at + piece.length))
    at += piece.length
    if (random.chance(0.05)) return
  }
  if (at !== offset + length) throw new Error('a read ended too early, and said nothing')
}

function assertSame(read: Uint8Array, written: Uint8Array): void {
  if (!sameBytes(read, written)) throw new Error('a read has returned wrong bytes')
}

function noteFailure(life: Life, error: unknown): void {
  const isExcuse = error instanceof StoreError && (excuses as readonly string[]).includes(error.code)
  // A block that is damaged wherever it is asked for, in the moment when it is asked for, is said to be so.
  const isDamage = error instanceof StoreError && error.code === 'Damaged'
  if (!isExcuse && !isDamage) throw error
  life.failures++
}

async function run(seed: number): Promise<Life> {
  let result: Life | undefined
  await withPipeline(
    async (scene) => {
      const { simulation, group } = scene
      const random = simulation.random.fork('program')
      const acknowledged: Life['acknowledged'] = new Map()
      const life: Life = { scene, random, acknowledged, nextLocal: 1, isOver: false, failures: 0, reads: 0 }
      const troubles = trouble(life, () => life.isOver)
      const readers = [reader(life), reader(life)]
      await Promise.all([writer(life), writer(life), writer(life)])
      life.isOver = true
      await Promise.all([troubles, ...readers])
      for (const replica of scene.replicas) replica.script = () => undefined
      await scene.clock.sleep(31_000)
      expect(group.up).toHaveLength(3)
      for (const found of life.acknowledged.values()) {
        await readOnce({ ...life, random: random.fork('end') }, found, { offset: 0, length: found.bytes.length })
      }
      const hedges = scene.counted('hedges')
      expect(hedges).toBeLessThanOrEqual(10 + 0.05 * scene.counted('reads'))
      result = life
    },
    { seed },
  )
  return result!
}

const [first = 1, last = 25] = (process.env['HDDS_CLIENT_SEEDS'] ?? '1-25').split('-').map(Number)

test(`random programs, seeds ${first} to ${last}`, { timeout: 600_000 }, async () => {
  const sums = { acknowledged: 0, failures: 0, reads: 0 }
  for (let seed = first; seed <= last; seed++) {
    try {
      const { acknowledged, failures, reads } = await run(seed)
      sums.acknowledged += acknowledged.size
      sums.failures += failures
      sums.reads += reads
    } catch (error) {
      throw new Error(
        `seed ${seed}; again: HDDS_CLIENT_SEEDS=${seed}-${seed} npx vitest run hdds/test/client/programs`,
        {
          cause: error,
        },
      )
    }
  }
  // The programs see what they are for.
  const count = last - first + 1
  expect(sums.acknowledged).toBeGreaterThan(10 * count)
  expect(sums.reads).toBeGreaterThan(20 * count)
  if (count >= 20) expect(sums.failures).toBeGreaterThan(count / 10)
})
