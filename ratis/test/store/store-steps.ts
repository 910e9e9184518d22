import fc from 'fast-check'
import { logSites } from '../../src/log/sites.ts'
import { storeSites } from '../../src/store/sites.ts'
import type { CounterCommand } from './counter-rules.ts'
import type { StoreStep } from './store-trial.ts'

export const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j')
const amount = fc.integer({ min: 1, max: 9 })
const how = fc.constantFrom('crash' as const, 'crash' as const, 'kill' as const)

export const command: fc.Arbitrary<CounterCommand> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), name, amount }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('move' as const), from: name, to: name, amount }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('look' as const), name }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('pad' as const), name, bytes: fc.integer({ min: 0, max: 6000 }) }),
  },
)

const execute: fc.Arbitrary<StoreStep> = fc
  .array(command, { minLength: 1, maxLength: 8 })
  .map((commands) => ({ kind: 'execute', commands }))

const down: fc.Arbitrary<StoreStep> = fc.record({
  kind: fc.constant('down' as const),
  how,
  afterMs: fc.double({ min: 0, max: 12, noNaN: true }),
})

const trap: fc.Arbitrary<StoreStep> = fc.record({
  kind: fc.constant('trap' as const),
  how,
  site: fc.constantFrom(...storeSites, ...storeSites, ...logSites),
  hit: fc.integer({ min: 1, max: 3 }),
})

/** Programs for a store: bursts of commands, reads between them, and a machine that goes down now and then. */
export const storeSteps: fc.Arbitrary<readonly StoreStep[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: execute },
    { weight: 3, arbitrary: fc.constant<StoreStep>({ kind: 'settle' }) },
    // Mostly less than a sync takes: several turns are then on their way to the disk.
    {
      weight: 5,
      arbitrary: fc.constantFrom(0, 0, 0.2, 0.5, 1, 2, 10).map((ms): StoreStep => ({ kind: 'pause', ms })),
    },
    { weight: 2, arbitrary: name.map((at): StoreStep => ({ kind: 'get', name: at })) },
    { weight: 1, arbitrary: fc.nat(50).map((nth): StoreStep => ({ kind: 'repeat', nth })) },
    {
      weight: 3,
      arbitrary: fc.constantFrom<StoreStep>({ kind: 'view' }, { kind: 'checkpoint' }, { kind: 'reopen' }),
    },
    { weight: 2, arbitrary: down },
    { weight: 1, arbitrary: trap },
  ),
  { maxLength: 16, size: 'max' },
)
