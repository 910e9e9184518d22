import { StoreError } from '@o3/common/errors'
/** Blocks that are streamed to all members of a pipeline at once. */

import type { BlockWriter } from '../../src/api/api.ts'
import { describe, expect, test } from 'vitest'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { collect, rejection } from '../harness/expect-error.ts'
import { broken, checksumOf, pipelinePlace, said, textOf, withPipeline } from '../harness/memory-pipeline.ts'
import type { PipelineScene, Script, Step } from '../harness/memory-pipeline.ts'

const chunkBytes = 64 * 1024
const block = { container: 1, local: 1 }
const bytes = patternOf(1, 6 * chunkBytes)
const all = { offset: 0, length: bytes.length }

/** Writes the block out of one buffer that is used again for each chunk, as the store does. */
async function fill(writer: BlockWriter, from = 0): Promise<void> {
  const buffer = new Uint8Array(chunkBytes)
  for (let at = from; at < bytes.length; at += chunkBytes) {
    buffer.set(bytes.subarray(at, at + chunkBytes))
    await writer.write([buffer])
    buffer.fill(0xaa)
  }
}

const holdersOf = ({ replicas }: PipelineScene): string =>
  replicas
    .filter(({ blocks }) => sameBytes(blocks.get(textOf(block)) ?? new Uint8Array(1), bytes))
    .map(({ id }) => id)
    .join('')

/** At the n-th call of this step, and from then on. */
const from = (step: Step, n: number, fate: ReturnType<Script>): Script => {
  let count = 0
  return (now) => (now === step && ++count >= n ? fate : undefined)
}

describe('a streamed block', () => {
  test('is at every member, and they agree to it', async () => {
    await withPipeline(async (scene) => {
      const writer = await scene.client.openWriter(block)
      await fill(writer)
      const receipt = await writer.commit()
      expect(receipt).toMatchObject({
        block,
        lengthBytes: bytes.length,
        datanodes: ['a', 'b', 'c'],
        checksum: checksumOf(bytes),
      })
      expect(receipt.proofs?.map((proof) => new TextDecoder().decode(proof))).toEqual(['a', 'b', 'c'])
      expect(scene.group.agreed.get('1/1')).toMatchObject({ pipeline: 'p1', holders: ['a', 'b', 'c'] })
      expect(holdersOf(scene)).toBe('abc')
      expect(sameBytes(await collect(scene.client.read(block, all)), bytes)).toBe(true)
      await rejection(writer.write([bytes]), 'Aborted')
    })
  })

  test.each([
    ['cannot be opened', { openWriter: 1 }],
    ['fails at the first write', { write: 1 }],
    ['fails in the middle', { write: 4 }],
    ['fails at its end', { commit: 1 }],
  ] as const)('loses a member that %s, and nobody notices', async (_, at) => {
    for (const lost of [0, 1, 2] as const) {
      await withPipeline(async (scene) => {
        const [[step, n]] = Object.entries(at) as [[Step, number]]
        scene.replicas[lost].script = from(step, n, { error: broken() })
        const writer = await scene.client.openWriter(block)
        await fill(writer)
        const { datanodes } = await writer.commit()
        expect(datanodes).toEqual(['a', 'b', 'c'].filter((__, i) => i !== lost))
        // The member learns of it by the log, and fetches it.
        expect(holdersOf(scene)).toBe('abc')
        expect(scene.elapsedMs()).toBeLessThan(100)
        expect(scene.counted('lost_members')).toBe(1)
      })
    }
  })

  test.each([
    ['when it is opened', { openWriter: 1 }],
    ['in the middle', { write: 3 }],
    ['at its end', { commit: 1 }],
  ] as const)('waits a little for a member that is silent %s', async (_, at) => {
    await withPipeline(async (scene) => {
      const [[step, n]] = Object.entries(at) as [[Step, number]]
      scene.replicas[1].script = from(step, n, { silent: true })
      const writer = await scene.client.openWriter(block)
      await fill(writer)
      expect((await writer.commit()).datanodes).toEqual(['a', 'c'])
      expect(scene.elapsedMs()).toBeLessThan(300)
    })
  })

  test.each([0, 1, 2] as const)(
    'is refused before a byte is sent where the container of member %i is closed',
    async (n) => {
      const closed = new StoreError('Unavailable', 'container 1 is closed', { details: { state: 'CLOSED' } })
      await withPipeline(async (scene) => {
        scene.replicas[n].script = from('openWriter', 1, { error: closed })
        // Nor is anybody else waited for.
        scene.replicas[(n + 1) % 3]!.script = from('openWriter', 1, { delayMs: 3_000 })
        await rejection(scene.client.openWriter(block), 'Unavailable')
        expect(scene.counted('lost_members')).toBe(0)
      })
    },
  )

  test('has its memory back when a member was left that would still have written it', async () => {
    await withPipeline(async ({ client, replicas }) => {
      replicas[1].script = (step) => (step === 'write' ? { delayMs: 2_000 } : undefined)
      const writer = await client.openWriter(block)
      await fill(writer)
      expect((await writer.commit()).datanodes).toEqual(['a', 'c'])
    })
  })

  test('does not wait again for who was silent just now', async () => {
    await withPipeline(async (scene) => {
      const { client, replicas } = scene
      replicas[1].script = from('openWriter', 1, { silent: true })
      await (await client.openWriter(block)).abort()
      const before = scene.elapsedMs()
      for (let local = 2; local < 5; local++) await (await client.openWriter({ container: 1, local })).abort()
      expect(scene.elapsedMs() - before).toBeLessThan(10)
    })
  })

  test('keeps a member that is half as fast, and leaves one that is slower', async () => {
    for (const [delayMs, kept] of [
      [200, 'abc'],
      [350, 'ac'],
    ] as const) {
      await withPipeline(async (scene) => {
        const slow =
          (ms: number): Script =>
          (step) =>
            step === 'write' ? { delayMs: ms } : undefined
        scene.replicas[0].script = slow(100)
        scene.replicas[1].script = slow(delayMs)
        scene.replicas[2].script = slow(100)
        const writer = await scene.client.openWriter(block)
        await fill(writer)
        expect((await writer.commit()).datanodes.join('')).toBe(kept)
      })
    }
  })

  test('of no majority is refused, and nothing stays open', async () => {
    for (const [step, n] of [
      ['openWriter', 1],
      ['write', 3],
      ['commit', 1],
    ] as const) {
      await withPipeline(async (scene) => {
        for (const i of [0, 2] as const) scene.replicas[i].script = from(step, n, { error: broken() })
        const work = async (): Promise<void> => {
          const writer = await scene.client.openWriter(block)
          await fill(writer)
          await writer.commit()
        }
        await rejection(work(), 'Unavailable')
        expect(scene.group.agreed.size).toBe(0)
        expect(scene.elapsedMs()).toBeLessThan(2_000)
      })
    }
  })

  test.each([
    ['openWriter', 1],
    ['write', 3],
    ['commit', 1],
  ] as const)('whose majority is silent at %s is given up in time for another pipeline', async (step, n) => {
    await withPipeline(async (scene) => {
      for (const i of [0, 2] as const) scene.replicas[i].script = from(step, n, { silent: true })
      const work = async (): Promise<void> => {
        const writer = await scene.client.openWriter(block)
        await fill(writer)
        await writer.commit()
      }
      await rejection(work(), 'Unavailable')
      expect(scene.elapsedMs()).toBeLessThan(17_000)
      expect(scene.group.agreed.size).toBe(0)
    })
  })

  test.each([
    ['OutOfSpace', 'OutOfSpace'],
    ['VolumeFailed', 'Unavailable'],
    ['AccessDenied', 'AccessDenied'],
  ] as const)('of which all say %s is refused as %s', async (code, told) => {
    await withPipeline(async ({ client, replicas }) => {
      for (const replica of replicas) replica.script = from('openWriter', 1, { error: said(code) })
      await rejection(client.openWriter(block), told)
    })
  })

  test('is damaged when the members have different bytes', async () => {
    await withPipeline(async ({ client, replicas, group }) => {
      replicas[2].script = from('commit', 1, { rotten: true })
      const writer = await client.openWriter(block)
      await fill(writer)
      await rejection(writer.commit(), 'Damaged')
      expect(group.agreed.size).toBe(0)
    })
  })

  test('is agreed to by the next leader, however often it is asked', async () => {
    await withPipeline(async (scene) => {
      const { client, group, replicas, clock } = scene
      const writer = await client.openWriter(block)
      await fill(writer)
      replicas[0].isUp = false
      Object.assign(group, { leader: undefined })
      replicas[1].script = from('agreeBlock', 1, { errorAfter: broken('OutcomeUnknown') })
      clock.after(1_000, () => Object.assign(group, { leader: 'b', named: 'b' }))
      clock.after(3_000, () => {
        replicas[1].script = () => undefined
      })
      expect((await writer.commit()).datanodes).toEqual(['b', 'c'])
      expect(group.agreed.get('1/1')?.holders).toEqual(['b', 'c'])
    })
  })

  test('is not acknowledged when nobody agrees', async () => {
    await withPipeline(async ({ client, group }) => {
      const writer = await client.openWriter(block)
      await fill(writer)
      group.closed.add(1)
      await rejection(writer.commit(), 'Unavailable')
      expect(group.agreed.size).toBe(0)
    })
  })

  test('finds members that have moved', async () => {
    await withPipeline(async (scene) => {
      await scene.client.writeBlock({ container: 1, local: 9 }, [bytes.subarray(0, 10)])
      const { replicas } = scene
      for (const replica of replicas) replica.script = from('openWriter', 1, { error: broken() })
      const moved = pipelinePlace.replicas.map((replica) => ({ ...replica, address: `${replica.datanode}:2` }))
      scene.place = { ...pipelinePlace, replicas: moved }
      let asked = 0
      for (const replica of replicas) replica.script = () => (asked++ < 3 ? { error: broken() } : undefined)
      const writer = await scene.client.openWriter(block)
      await fill(writer)
      await writer.commit()
      expect(holdersOf(scene)).toBe('abc')
    })
  })

  test('wants another block where a member has taken it once, and nobody can say so', async () => {
    await withPipeline(async (scene) => {
      const { replicas, client } = scene
      await client.writeBlock({ container: 1, local: 9 }, [bytes.subarray(0, 10)])
      // The first attempt finds one member of three; the second, where they are by now, finds that the id is spent there.
      const moved = pipelinePlace.replicas.map((replica) => ({ ...replica, address: `${replica.datanode}:2` }))
      scene.place = { ...pipelinePlace, replicas: moved }
      let asked = 0
      const spent = { error: new StoreError('InvalidArgument', 'block 1/1 was written before') }
      replicas[0].script = () => (asked++ === 0 ? undefined : spent)
      for (const replica of [replicas[1], replicas[2]]) replica.script = () => ({ error: broken() })
      await rejection(client.openWriter(block), 'Unavailable')
      expect(asked).toBeGreaterThan(1)
    })
  })

  test('can be given up at any time, also while it is written', async () => {
    await withPipeline(async ({ client, replicas }) => {
      const writer = await client.openWriter(block)
      await writer.write([bytes.subarray(0, 100)])
      replicas[1].script = () => ({ silent: true })
      replicas[2].script = () => ({ silent: true })
      const writing = rejection(writer.write([bytes.subarray(0, 100)]), 'Aborted')
      await rejection(writer.write([bytes.subarray(0, 100)]), 'InvalidArgument')
      await writer.abort()
      await writer.abort()
      await writing
      // That was no fault of the members.
      await rejection(writer.commit(), 'Aborted')
    })
  })
})
