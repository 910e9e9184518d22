import { expect, test } from 'vitest'
import type { LogOptions } from '../../src/log/segmented-log.ts'
import { logSites } from '../../src/log/sites.ts'
import { LogTrial, smallLog, type LogStep } from './log-trial.ts'

/** Passes every site: creation, several segments, hard state, a torn tail to recover, a cut, an orderly end. */
function script(seed: number): readonly LogStep[] {
  const appends = (...sizes: number[]): LogStep => ({ kind: 'append', appends: sizes.map((size) => [size]) })
  return [
    { kind: 'vote', wait: true },
    appends(100, 9000, 9000, 9000),
    { kind: 'settle' },
    appends(9000, 100, 5000, 9000),
    { kind: 'pause', ms: 20 },
    { kind: 'cut', keepBytes: 0 },
    appends(12_000, 300),
    { kind: 'down', how: 'crash', afterMs: 0.2 + (seed % 10) / 10 },
    { kind: 'vote', wait: false },
    appends(9000, 9000, 9000, 200),
    { kind: 'settle' },
    { kind: 'cut', keepBytes: 0 },
    appends(9000, 9000, 9000, 9000, 100),
    { kind: 'truncate', count: 1 + (seed % 4) },
    appends(9000, 100),
    { kind: 'settle' },
    { kind: 'truncate', count: seed % 4 },
    { kind: 'reset', ahead: seed - 2 },
    appends(100),
    { kind: 'settle' },
    { kind: 'truncate', count: 1 },
    { kind: 'reset', ahead: 3 },
    { kind: 'reopen' },
    appends(50),
    { kind: 'settle' },
  ]
}

/** Three times a log with several segments loses something in the middle. */
function damageScript(seed: number): readonly LogStep[] {
  const three: LogStep = { kind: 'append', appends: [[8000], [8000], [8000]] }
  const what = seed % 2 === 0 ? 'flip' : 'remove'
  const round: readonly LogStep[] = [three, three, { kind: 'settle' }, { kind: 'damage', what, at: 0.4 }]
  return [...round, ...round, ...round, three, { kind: 'settle' }]
}

const seeds = [1, 2, 3, 4]

test.each(logSites)('a machine may go down at %s', async (site) => {
  let reached = 0
  for (const seed of seeds) {
    const how = seed % 3 === 0 ? 'kill' : 'crash'
    const isRepair = site.startsWith('log.repair.')
    const log: LogOptions = { ...smallLog, onDamage: isRepair ? 'repair' : 'refuse' }
    const trial = new LogTrial({ seed: `${site}/${seed}`, log })
    const steps = isRepair ? damageScript(seed) : script(seed)
    await trial.run([{ kind: 'trap', how, site, hit: 1 + (seed % 3) }, ...steps])
    if ((trial.node.siteHits.get(site) ?? 0) >= 1 + (seed % 3)) reached++
  }
  expect(reached).toBeGreaterThan(0)
})
