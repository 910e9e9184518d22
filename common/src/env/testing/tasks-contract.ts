import { describe, expect, test } from 'vitest'
import type { Clock, Tasks } from '../env.ts'
import type { Drive } from './drive.ts'

export interface TasksUnderTest {
  readonly tasks: Tasks
  readonly clock: Clock
  readonly drive: Drive
}

/** The suite of `Tasks`; what becomes of a failed task is the environment's own affair, and tested there. */
export function tasksContract(name: string, open: () => TasksUnderTest): void {
  describe(`the tasks contract: ${name}`, () => {
    test('a task runs, and its done resolves behind it', async () => {
      const { tasks, clock, drive } = open()
      await drive(async () => {
        let isOver = false
        const task = tasks.spawn('sleeper', async (signal) => {
          await clock.sleep(2, signal)
          isOver = true
        })
        expect(task.name).toBe('sleeper')
        await task.done
        expect(isOver).toBe(true)
      })
    })

    test('cancelling aborts the signal, and the abort is no failure', async () => {
      const { tasks, clock, drive } = open()
      await drive(async () => {
        const task = tasks.spawn('waits', (signal) => clock.sleep(60_000, signal))
        task.cancel()
        await task.done
        task.cancel()
      })
    })

    test('nextTurn runs later, each action once, in order', async () => {
      const { tasks, drive } = open()
      await drive(async () => {
        const order: number[] = []
        const done = new Promise<void>((resolve) => {
          for (let i = 0; i < 5; i++) tasks.nextTurn(() => order.push(i))
          tasks.nextTurn(() => {
            tasks.nextTurn(() => {
              order.push(6)
              resolve()
            })
            order.push(5)
          })
        })
        await Promise.resolve()
        expect(order).toEqual([])
        await done
        expect(order).toEqual([0, 1, 2, 3, 4, 5, 6])
      })
    })
  })
}
