import { expect, test } from 'vitest'
import { restartAfter, steadyAfterMs } from '../../src/local/restart-policy.ts'

/** Pauses after deaths in a row, each after having served so long. */
function pauses(served: readonly (number | undefined)[]): readonly number[] {
  let deaths = 0
  return served.map((servedMs) => {
    const restart = restartAfter({ servedMs, deaths })
    deaths = restart.deaths
    return restart.pauseMs
  })
}

test('pauses grow while a process keeps dying, up to five seconds', () => {
  expect(pauses([0, undefined, 100, 100, undefined, 100, 100])).toEqual([200, 400, 800, 1600, 3200, 5000, 5000])
})

test('one that has served steadily is started again at once', () => {
  expect(pauses([100, 100, steadyAfterMs, 100])).toEqual([200, 400, 200, 400])
})

test('however often it has died, the pause is a number', () => {
  expect(restartAfter({ servedMs: undefined, deaths: 1e6 })).toEqual({ pauseMs: 5000, deaths: 1e6 + 1 })
})
