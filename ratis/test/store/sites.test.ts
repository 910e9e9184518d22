import { expect, test } from 'vitest'
import { storeSites } from '../../src/store/sites.ts'
import type { CounterCommand } from './counter-rules.ts'
import { StoreTrial, type StoreStep } from './store-trial.ts'

const add = (name: string): CounterCommand => ({ kind: 'add', name, amount: 2 })
const move = (from: string, to: string): CounterCommand => ({ kind: 'move', from, to, amount: 1 })

/** Passes every site, with something at stake: rows in the log only, rows checkpointed, entries to replay. */
const script: readonly StoreStep[] = [
  { kind: 'execute', commands: [add('a'), add('b'), add('c'), move('a', 'b')] },
  { kind: 'settle' },
  { kind: 'checkpoint' },
  { kind: 'execute', commands: [add('a'), { kind: 'drop', name: 'c' }, move('b', 'd')] },
  { kind: 'pause', ms: 3 },
  { kind: 'execute', commands: [add('e'), move('a', 'e'), { kind: 'pad', name: 'x', bytes: 9000 }] },
  { kind: 'settle' },
  { kind: 'down', how: 'crash', afterMs: 1 },
  { kind: 'execute', commands: [add('f'), { kind: 'pad', name: 'y', bytes: 9000 }] },
  { kind: 'settle' },
  { kind: 'checkpoint' },
  { kind: 'repeat', nth: 3 },
  { kind: 'view' },
  { kind: 'reopen' },
  { kind: 'execute', commands: [add('a'), { kind: 'drop', name: 'b' }] },
  { kind: 'settle' },
]

test.each(storeSites)('a machine may go down at %s', async (site) => {
  let reached = 0
  for (const seed of [1, 2, 3, 4]) {
    const hit = 1 + (seed % 2)
    const how = seed % 3 === 0 ? 'kill' : 'crash'
    const trial = new StoreTrial({ seed: `${site}/${seed}` })
    await trial.run([{ kind: 'trap', how, site, hit }, ...script])
    if ((trial.machine.node.siteHits.get(site) ?? 0) >= hit) reached++
  }
  expect(reached).toBe(4)
})
