import { StoreError } from '@o3/common/errors'
import { Simulation } from '@o3/common/env/sim'
import { nullLogger } from '@o3/common/logger'
import { describe, expect, test } from 'vitest'
import { TaskRegistry } from '../../src/service/tasks.ts'

interface Scene {
  readonly tasks: TaskRegistry
  pass(ms: number): Promise<void>
}

async function withTasks(script: (scene: Scene) => Promise<void>, maxRunning = 2): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  const env = simulation.node('dn').boot()
  await simulation.run(async () => {
    const tasks = new TaskRegistry({ env, log: nullLogger, maxRunning })
    await script({ tasks, pass: (ms) => simulation.clock.sleep(ms) })
    await tasks.stop()
  })
}

describe('a task', () => {
  test('is begun once, says how far it is, and how it ended until that is acknowledged', async () => {
    await withTasks(async ({ tasks, pass }) => {
      const steps = Promise.withResolvers<void>()
      let begun = 0
      const work = async ({ progress }: { progress: (done: number, total: number) => void }): Promise<void> => {
        begun++
        progress(3, 10)
        await steps.promise
      }
      tasks.begin('t1', work)
      tasks.begin('t1', work)
      await pass(1)
      const running = { task: 't1', state: 'running', doneBytes: 3, totalBytes: 10 }
      expect(tasks.reports()).toEqual([running])
      tasks.acknowledged(tasks.reports()) // of a task that runs it means nothing
      const told = tasks.reports()
      steps.resolve()
      await pass(1)
      tasks.acknowledged(told) // it has ended since, and nobody knows
      expect(tasks.reports()).toEqual([{ ...running, state: 'done' }])
      tasks.acknowledged(tasks.reports())
      expect(tasks.reports()).toEqual([])
      tasks.begin('t1', work) // a late command
      await pass(1)
      expect(tasks.reports()).toEqual([{ ...running, state: 'done' }])
      expect(begun).toBe(1)
    })
  })

  test('that was an encoding says what became of it, once it is done', async () => {
    await withTasks(async ({ tasks, pass }) => {
      const steps = Promise.withResolvers<void>()
      const encoding = { kind: 'declined', blocks: 7 } as const
      tasks.begin('t1', async ({ encoded }) => {
        encoded(encoding)
        await steps.promise
      })
      tasks.begin('t2', async ({ encoded }) => {
        encoded(encoding)
        throw new StoreError('Unavailable', 'a target is away')
      })
      await pass(1)
      expect(tasks.reports().map((report) => report.encoding)).toEqual([undefined, undefined])
      steps.resolve()
      await pass(1)
      expect(tasks.reports()).toMatchObject([
        { task: 't2', state: 'failed' },
        { task: 't1', state: 'done', encoding },
      ])
      expect(tasks.reports()[0]).not.toHaveProperty('encoding')
    })
  })

  test('that fails says why', async () => {
    await withTasks(async ({ tasks, pass }) => {
      tasks.begin('t1', () => Promise.reject(new StoreError('Unavailable', 'nobody has it')))
      await pass(1)
      expect(tasks.reports()).toMatchObject([{ task: 't1', state: 'failed', message: 'nobody has it' }])
    })
  })

  test('waits for its turn, and is told of the stop', async () => {
    await withTasks(async ({ tasks, pass }) => {
      const begun: string[] = []
      const ends = new Map<string, () => void>()
      for (const task of ['a', 'b', 'c', 'd']) {
        tasks.begin(task, async ({ signal }) => {
          begun.push(task)
          await new Promise<void>((resolve, reject) => {
            ends.set(task, resolve)
            signal.addEventListener('abort', () => reject(signal.reason))
          })
        })
      }
      await pass(1)
      expect(begun).toEqual(['a', 'b'])
      expect(tasks.reports()).toHaveLength(4)
      ends.get('b')?.()
      await pass(1)
      expect(begun).toEqual(['a', 'b', 'c'])
      await tasks.stop()
      await tasks.stop()
      tasks.begin('e', () => Promise.resolve())
      await pass(1)
      expect(begun).toEqual(['a', 'b', 'c'])
    })
  })

  test('is forgotten in the end: there is no more room than for a thousand', async () => {
    await withTasks(async ({ tasks, pass }) => {
      for (let i = 0; i < 1_200; i++) tasks.begin(`t${i}`, () => Promise.resolve())
      await pass(10)
      expect(tasks.reports()).toHaveLength(1_000)
      tasks.acknowledged(tasks.reports())
      for (let i = 1_000; i < 1_200; i++) tasks.begin(`t${i}`, () => Promise.resolve())
      await pass(10)
      expect(tasks.reports()).toHaveLength(200)
    }, 5_000)
  })
})
