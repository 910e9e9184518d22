import { describe, expect, test } from 'vitest'
import { Simulation } from '../../src/env/sim/sim-env.ts'
import { Lifecycle } from '../../src/lifecycle/lifecycle.ts'
import type { LifecycleStep } from '../../src/lifecycle/lifecycle.ts'
import { createLogger } from '../../src/log/log.ts'

/** A lifecycle in virtual time whose steps note what happens to them. */
function world() {
  const simulation = new Simulation({ seed: 'lifecycle' })
  const { clock } = simulation
  const events: string[] = []
  const lines: string[] = []
  const log = createLogger({ level: 'debug', destination: (line) => lines.push(line), clock })
  const lifecycle = new Lifecycle({ clock, log, stopDeadlineMs: 1000 })
  const step = (name: string, changes: Partial<LifecycleStep> = {}): Promise<void> =>
    lifecycle.start(name, {
      start: async () => {
        events.push(`start ${name}`)
        await changes.start?.()
      },
      stop: async () => {
        events.push(`stop ${name}`)
        await changes.stop?.()
      },
    })
  return { simulation, clock, lifecycle, events, lines, step }
}

describe('Lifecycle', () => {
  test('starts in order and stops in the reverse order', async () => {
    const { simulation, lifecycle, events, step, clock } = world()
    await simulation.run(async () => {
      // Not awaited one by one: the order is the order of the calls, however long each takes.
      await Promise.all([
        step('disk', { start: () => clock.sleep(50) }),
        step('om', { start: () => clock.sleep(5) }),
        step('s3'),
      ])
      expect(await lifecycle.stop()).toEqual([])
    })
    expect(events).toEqual(['start disk', 'start om', 'start s3', 'stop s3', 'stop om', 'stop disk'])
  })

  test('waits for one step to stop before the next', async () => {
    const { simulation, lifecycle, events, step, clock } = world()
    const slow = async (): Promise<void> => {
      await clock.sleep(500)
      events.push('s3 has stopped')
    }
    await simulation.run(async () => {
      await step('om')
      await step('s3', { stop: slow })
      await lifecycle.stop()
    })
    expect(events.slice(2)).toEqual(['stop s3', 's3 has stopped', 'stop om'])
  })

  test('a failed start unwinds what had started, and is what the caller sees', async () => {
    const { simulation, events, step } = world()
    const failure = new Error('port in use')
    await simulation.run(async () => {
      await step('disk')
      await expect(step('s3', { start: () => Promise.reject(failure) })).rejects.toBe(failure)
      await expect(step('admin')).rejects.toMatchObject({ code: 'Closed' })
    })
    expect(events).toEqual(['start disk', 'start s3', 'stop disk'])
  })

  test('a step that overruns or fails is reported and holds up nobody', async () => {
    const { simulation, lifecycle, events, step, clock } = world()
    const failures = await simulation.run(async () => {
      await step('disk')
      await step('stuck', { stop: () => new Promise(() => {}) })
      await step('broken', { stop: () => Promise.reject(new Error('no')) })
      return lifecycle.stop(200)
    })
    expect(events.slice(3)).toEqual(['stop broken', 'stop stuck', 'stop disk'])
    expect(failures).toMatchObject([
      { name: 'broken', error: { message: 'no' } },
      { name: 'stuck', error: { code: 'DeadlineExceeded' } },
    ])
    expect(clock.monotonicMs()).toBe(200)
  })

  test('a failure that comes after the deadline is nobody’s problem any more', async () => {
    const { simulation, lifecycle, step, clock } = world()
    const late = async (): Promise<void> => {
      await clock.sleep(300)
      throw new Error('too late')
    }
    await simulation.run(async () => {
      await step('stuck', { stop: late })
      expect(await lifecycle.stop(200)).toMatchObject([{ name: 'stuck', error: { code: 'DeadlineExceeded' } }])
      await clock.sleep(500)
    })
  })

  test('stop is idempotent', async () => {
    const { simulation, lifecycle, events, step } = world()
    await simulation.run(async () => {
      await step('om')
      const [first, second] = await Promise.all([lifecycle.stop(), lifecycle.stop()])
      expect(second).toBe(first)
    })
    expect(events).toEqual(['start om', 'stop om'])
  })

  test('a stop in the middle of a start also stops what was starting', async () => {
    const { simulation, lifecycle, events, step, clock } = world()
    await simulation.run(async () => {
      const starting = step('om', { start: () => clock.sleep(50) })
      const next = step('s3')
      await clock.sleep(10)
      await Promise.all([
        lifecycle.stop(),
        expect(starting).rejects.toMatchObject({ code: 'Closed' }),
        expect(next).rejects.toMatchObject({ code: 'Closed' }),
      ])
    })
    expect(events).toEqual(['start om', 'stop om'])
  })

  test('logs each step with how long it took', async () => {
    const { simulation, lifecycle, lines, step, clock } = world()
    await simulation.run(async () => {
      await step('om', { start: () => clock.sleep(7) })
      await lifecycle.stop()
    })
    const told = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 'info')
    expect(told).toMatchObject([
      { message: 'started', step: 'om', tookMs: 7 },
      { message: 'stopped', step: 'om' },
    ])
  })
})
