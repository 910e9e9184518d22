import { Simulation } from '@o3/common/env/sim'
import { StoreError } from '@o3/common/errors'
import { Lifecycle } from '@o3/common/lifecycle'
import { nullLogger } from '@o3/common/log'
import { expect, test } from 'vitest'
import { watchReachability } from '../../src/roles/reachability.ts'

test('a service that is silent for longer than a restart takes is a problem, until it answers', async () => {
  const simulation = new Simulation({ seed: 'reachability' })
  const { clock } = simulation
  const env = simulation.node('gateway').boot()
  const lifecycle = new Lifecycle({ clock, log: nullLogger })
  let isDown = false
  const om = (): Promise<void> =>
    isDown ? Promise.reject(new StoreError('Unavailable', 'no leader of om answered')) : Promise.resolve()
  await simulation.run(async () => {
    const problem = await watchReachability({ env, lifecycle, log: nullLogger }, [
      { name: 'om', ask: om },
      { name: 'scm', ask: () => Promise.resolve() },
    ])
    await clock.sleep(60_000)
    expect(problem()).toBeUndefined()
    isDown = true
    await clock.sleep(4_000)
    expect(problem()).toBeUndefined()
    await clock.sleep(6_000)
    expect(problem()).toMatch(/^om has not answered for (9|10|11) s$/)
    isDown = false
    await clock.sleep(2_000)
    expect(problem()).toBeUndefined()
    expect(await lifecycle.stop()).toEqual([])
  })
})
