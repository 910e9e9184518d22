import { StoreError } from '@o3/common/errors'
import { createLogger } from '@o3/common/log'
import { Simulation } from '@o3/common/env/sim'
import { expect, test } from 'vitest'
import { RefusalLog } from '../../src/pki/refusal-log.ts'

test('a thousand refusals in a minute are thirty lines and a number', async () => {
  const simulation = new Simulation({ seed: 'refusals' })
  const { clock } = simulation.node('n').boot()
  const lines: string[] = []
  const log = createLogger({ level: 'warn', destination: (line) => lines.push(line), clock })
  const refusals = new RefusalLog(clock, log)
  const error = new StoreError('Unauthenticated', 'no')
  await simulation.run(async () => {
    for (let n = 0; n < 1000; n++) refusals.note('10.0.0.1:1', error)
    expect(lines).toHaveLength(30)
    await clock.sleep(60_000)
    refusals.note('10.0.0.1:1', error)
  })
  expect(lines).toHaveLength(32)
  expect(lines[30]).toContain('"silentlyRefused":970')
})
