/** Small blocks through the leader of a pipeline. */

import { describe, expect, test } from 'vitest'
import { patternOf } from '../harness/bytes.ts'
import { rejection } from '../harness/expect-error.ts'
import { broken, pipelinePlace, said, textOf, withPipeline } from '../harness/memory-pipeline.ts'
import type { PipelineScene } from '../harness/memory-pipeline.ts'

const block = (local: number, container = 1) => ({ container, local })
const bytes = patternOf(1, 3_000)
const write = ({ client }: PipelineScene, local = 1): Promise<unknown> => client.writeBlock(block(local), [bytes])
const callsOf = ({ replicas }: PipelineScene): readonly number[] => replicas.map(({ calls }) => calls.length)
const holdersOf = ({ replicas }: PipelineScene, local = 1): number =>
  replicas.filter(({ blocks }) => blocks.has(textOf(block(local)))).length

describe('a small block', () => {
  test('goes to the leader, which is remembered', async () => {
    await withPipeline(async (scene) => {
      await write(scene)
      await write(scene, 2)
      expect(callsOf(scene)).toEqual([2, 0, 0])
      expect(scene.located).toEqual([1])
    })
  })

  test('follows whom a member names', async () => {
    await withPipeline(async (scene) => {
      Object.assign(scene.group, { leader: 'c', named: 'c' })
      await write(scene)
      expect(callsOf(scene)).toEqual([1, 0, 1])
      await write(scene, 2)
      expect(callsOf(scene)).toEqual([1, 0, 2])
      expect(scene.counted('leader_searches')).toBe(1)
    })
  })

  test('waits for an election', async () => {
    await withPipeline(async (scene) => {
      const { group, clock, replicas } = scene
      await write(scene)
      replicas[0].isUp = false
      group.leader = undefined
      // The others name the dead one until they have another.
      clock.after(1_000, () => Object.assign(group, { leader: 'b', named: 'b' }))
      const startMs = scene.elapsedMs()
      await write(scene, 2)
      expect(scene.elapsedMs() - startMs).toBeLessThan(1_600)
      expect(holdersOf(scene, 2)).toBe(2)
    })
  })

  test('is made again at the next leader when its outcome is not known', async () => {
    await withPipeline(async (scene) => {
      const { group, replicas } = scene
      replicas[0].script = () => {
        Object.assign(group, { leader: 'b', named: 'b' })
        return { error: broken('OutcomeUnknown') }
      }
      await write(scene)
      expect(holdersOf(scene)).toBe(3)
    })
  })

  test('leaves a leader that is silent', async () => {
    await withPipeline(async (scene) => {
      const { group, replicas } = scene
      await write(scene)
      replicas[0].script = () => ({ silent: true })
      Object.assign(group, { leader: 'b', named: 'b' })
      await write(scene, 2)
      expect(scene.elapsedMs()).toBeLessThan(3_000)
      const before = scene.elapsedMs()
      await write(scene, 3)
      expect(scene.elapsedMs() - before).toBeLessThan(10)
    })
  })

  test('is refused at once where the container is closed', async () => {
    await withPipeline(async (scene) => {
      await write(scene)
      scene.group.closed.add(1)
      await rejection(write(scene, 2), 'Unavailable')
      expect(callsOf(scene)).toEqual([2, 0, 0])
      expect(scene.elapsedMs()).toBeLessThan(10)
    })
  })

  test('is refused at once where the container is closed, also by a leader that was not known', async () => {
    await withPipeline(async (scene) => {
      scene.group.closed.add(1)
      await rejection(write(scene), 'Unavailable')
      expect(callsOf(scene)).toEqual([1, 1, 0])
      expect(scene.elapsedMs()).toBeLessThan(10)
    })
  })

  test('is refused at once where no member knows the pipeline', async () => {
    await withPipeline(async (scene) => {
      for (const replica of scene.replicas) replica.script = () => ({ error: said('Unavailable') })
      await rejection(write(scene), 'Unavailable')
      expect(callsOf(scene)).toEqual([1, 1, 1])
      expect(scene.elapsedMs()).toBeLessThan(10)
    })
  })

  test('waits for the election of two where the third has lost the pipeline', async () => {
    await withPipeline(async (scene) => {
      Object.assign(scene.group, { leader: undefined, named: undefined })
      scene.replicas[0].script = () => ({ error: said('Unavailable') })
      scene.clock.after(1_000, () => Object.assign(scene.group, { leader: 'c', named: 'c' }))
      await write(scene)
      expect(scene.elapsedMs()).toBeLessThan(1_600)
    })
  })

  test.each(['OutOfSpace', 'AccessDenied', 'InvalidArgument', 'Damaged'] as const)(
    'is told when the leader says %s',
    async (code) => {
      await withPipeline(async (scene) => {
        scene.replicas[0].script = () => ({ error: said(code) })
        await rejection(write(scene), code)
        expect(callsOf(scene)).toEqual([1, 0, 0])
      })
    },
  )

  test('is asked for again where the leader is busy', async () => {
    await withPipeline(async (scene) => {
      let times = 0
      scene.replicas[0].script = () => (times++ < 3 ? { error: said('Busy') } : undefined)
      await write(scene)
      expect(times).toBe(4)
    })
  })

  test('goes elsewhere after some seconds: surely not written', async () => {
    await withPipeline(async (scene) => {
      Object.assign(scene.group, { leader: undefined, named: undefined })
      await rejection(write(scene), 'Unavailable')
      expect(scene.elapsedMs()).toBeGreaterThan(4_000)
      expect(scene.elapsedMs()).toBeLessThan(6_000)
      // Calls are bounded by growing pauses.
      expect(Math.max(...callsOf(scene))).toBeLessThan(25)
    })
  })

  test('goes elsewhere after some seconds: perhaps written', async () => {
    await withPipeline(async (scene) => {
      scene.replicas[0].script = () => ({ errorAfter: broken('OutcomeUnknown') })
      await rejection(write(scene), 'OutcomeUnknown')
      expect(scene.elapsedMs()).toBeLessThan(8_000)
    })
  })

  test('finds members that have moved', async () => {
    await withPipeline(async (scene) => {
      await write(scene)
      for (const replica of scene.replicas) replica.isUp = false
      scene.clock.after(600, () => {
        for (const replica of scene.replicas) replica.isUp = true
        const replicas = pipelinePlace.replicas.map((replica) => ({ ...replica, address: `${replica.datanode}:2` }))
        scene.place = { ...pipelinePlace, replicas }
      })
      await write(scene, 2)
      expect(scene.located.length).toBeGreaterThan(1)
    })
  })

  test('is not written to a container that SCM has closed', async () => {
    await withPipeline(async (scene) => {
      scene.place = { ...pipelinePlace, state: 'CLOSED', pipeline: undefined }
      await rejection(write(scene), 'Unavailable')
      await rejection(scene.client.openWriter(block(1)), 'Unavailable')
      expect(callsOf(scene)).toEqual([0, 0, 0])
    })
  })

  test('of many: one searches while the leader is not known', async () => {
    await withPipeline(async (scene) => {
      const { group, clock, replicas } = scene
      await write(scene)
      replicas[0].isUp = false
      Object.assign(group, { leader: undefined, named: undefined })
      clock.after(1_000, () => Object.assign(group, { leader: 'b', named: 'b' }))
      const before = callsOf(scene)[2]!
      await Promise.all(Array.from({ length: 100 }, (_, i) => write(scene, i + 2)))
      for (let i = 0; i < 100; i++) expect(holdersOf(scene, i + 2)).toBe(2)
      expect(callsOf(scene)[2]! - before).toBeLessThan(20)
    })
  })
})
