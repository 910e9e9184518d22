import fc from 'fast-check'
import { logSites } from '../../src/log/sites.ts'
import type { LogStep } from './log-trial.ts'

const how = fc.constantFrom('crash' as const, 'crash' as const, 'kill' as const)
const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 3, arbitrary: fc.integer({ min: 300, max: 5000 }) },
  // Record boundaries that fall together with block boundaries.
  { weight: 1, arbitrary: fc.constantFrom(4064, 4063, 4065, 2016, 8160) },
)

const append: fc.Arbitrary<LogStep> = fc
  .array(fc.array(size, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 })
  .map((appends) => ({ kind: 'append', appends }))

const vote = fc.boolean().map((wait): LogStep => ({ kind: 'vote', wait }))
const truncate = fc.nat(6).map((count): LogStep => ({ kind: 'truncate', count }))
const reset = fc.integer({ min: -4, max: 4 }).map((ahead): LogStep => ({ kind: 'reset', ahead }))

const calm: fc.Arbitrary<LogStep> = fc.oneof(
  { weight: 6, arbitrary: append },
  { weight: 3, arbitrary: fc.constant<LogStep>({ kind: 'settle' }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 20 }).map((ms): LogStep => ({ kind: 'pause', ms })) },
  { weight: 1, arbitrary: fc.constantFrom<LogStep>({ kind: 'floor' }, { kind: 'reopen' }) },
  { weight: 1, arbitrary: vote },
  { weight: 2, arbitrary: truncate },
  { weight: 1, arbitrary: reset },
  { weight: 1, arbitrary: fc.constantFrom(0, 20_000).map((keepBytes): LogStep => ({ kind: 'cut', keepBytes })) },
)

const down: fc.Arbitrary<LogStep> = fc.record({
  kind: fc.constant('down' as const),
  how,
  afterMs: fc.double({ min: 0, max: 12, noNaN: true }),
})

const trapAt = (sites: readonly string[], hits = 1): fc.Arbitrary<LogStep> =>
  fc.record({
    kind: fc.constant('trap' as const),
    how,
    site: fc.constantFrom(...sites),
    hit: fc.integer({ min: 1, max: hits }),
  })
const trap = trapAt(logSites, 4)

/** Programs for a log: mostly appends, and a machine that goes down now and then. */
export const logSteps: fc.Arbitrary<readonly LogStep[]> = fc.array(
  fc.oneof({ weight: 8, arbitrary: calm }, { weight: 2, arbitrary: down }, { weight: 1, arbitrary: trap }),
  { maxLength: 14, size: 'max' },
)

const busy: fc.Arbitrary<LogStep> = fc.oneof(
  append,
  fc.constantFrom<LogStep>({ kind: 'settle' }, { kind: 'vote', wait: true }, { kind: 'cut', keepBytes: 0 }),
)

/** Programs in which the machine hardly ever stays up: for finding what is known to be broken. */
export const stormyLogSteps: fc.Arbitrary<readonly LogStep[]> = fc.array(
  fc.oneof({ weight: 3, arbitrary: busy }, { weight: 2, arbitrary: down }, { weight: 1, arbitrary: trap }),
  { minLength: 8, maxLength: 16, size: 'max' },
)

const three: LogStep = { kind: 'append', appends: [[8000], [8000], [8000]] }
const settle: LogStep = { kind: 'settle' }
const downWithin = (ms: number): fc.Arbitrary<LogStep> =>
  fc.record({ kind: fc.constant('down' as const), how, afterMs: fc.double({ min: 0, max: ms, noNaN: true }) })

const damage = fc.record({
  kind: fc.constant('damage' as const),
  what: fc.constantFrom(
    'flip' as const,
    'flip' as const,
    'flip' as const,
    'remove' as const,
    'hard-state' as const,
    'lose-hard-state' as const,
  ),
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
})

const conflictSites = logSites.filter((site) => /\.(cut|reset)\./.test(site))

/** What happens to a member when leaders change: it takes entries, votes, gives entries up, starts anew, goes down. */
const episode: fc.Arbitrary<readonly LogStep[]> = fc.oneof(
  fc.constant([three, settle]),
  fc.tuple(truncate, fc.constantFrom(three, settle), fc.constant(settle)),
  fc.tuple(truncate, append),
  fc.tuple(fc.oneof(truncate, reset), append, downWithin(60)),
  fc.tuple(trapAt(conflictSites), fc.oneof(truncate, reset), append, fc.constant(settle)),
  fc.tuple(fc.constant(settle), vote, append, downWithin(12)),
)

/** Programs of leader changes: they begin with a log of several segments. */
export const conflictLogSteps: fc.Arbitrary<readonly LogStep[]> = fc
  .array(episode, { minLength: 3, maxLength: 6, size: 'max' })
  .map((episodes) => [three, three, settle, ...episodes.flat()])

const failSync = fc.record({
  kind: fc.constant('fail-sync' as const),
  of: fc.constantFrom('log' as const, 'log' as const, 'hard-state' as const),
  after: fc.nat(5),
  process: fc.constantFrom('this' as const, 'this' as const, 'next' as const),
})
const one = fc
  .array(size, { minLength: 1, maxLength: 3 })
  .map((sizes): LogStep => ({ kind: 'append', appends: [sizes] }))
const powerCut: LogStep = { kind: 'down', how: 'crash', afterMs: 0 }

/** A sync fails, another process goes on with what it sees, and the power goes. */
const failure: fc.Arbitrary<readonly LogStep[]> = fc.oneof(
  fc.tuple(failSync, append, fc.constant(settle), fc.constantFrom(settle, three), fc.constant(settle)),
  fc.tuple(failSync, vote, one, fc.constant(settle), vote, fc.constant(settle)),
  fc.tuple(failSync, fc.constantFrom<LogStep>({ kind: 'cut', keepBytes: 0 }, { kind: 'reopen' }), append),
  fc.tuple(failSync, fc.oneof(truncate, reset), fc.constant(settle), one),
  fc.tuple(failSync, trapAt(logSites.filter((site) => site.startsWith('log.carry.'))), append, fc.constant(settle)),
  fc.tuple(failSync, append, down, fc.constant(settle)),
)

/** Programs on a disk whose syncs fail now and then; what a failed sync should have written stays in the page cache only. */
export const failingLogSteps: fc.Arbitrary<readonly LogStep[]> = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: failure },
      { weight: 1, arbitrary: fc.tuple(one, fc.constant(settle)) },
      { weight: 1, arbitrary: fc.constant([powerCut]) },
    ),
    { minLength: 2, maxLength: 6, size: 'max' },
  )
  .map((episodes) => episodes.flat())

/** The second copy of a hard state fails: those that the next process reads agree. Then a save is cut short. */
const failedVote = fc.double({ min: 0, max: 1, noNaN: true }).map((afterMs): readonly LogStep[] => [
  { kind: 'fail-sync', of: 'hard-state', after: 1, process: 'this' },
  { kind: 'vote', wait: true },
  { kind: 'vote', wait: false },
  { kind: 'down', how: 'crash', afterMs },
])

/** Programs in which votes fail. */
export const failedVoteLogSteps: fc.Arbitrary<readonly LogStep[]> = fc
  .array(failedVote, { minLength: 4, maxLength: 8, size: 'max' })
  .map((episodes) => episodes.flat())

const blocks = (count: number): LogStep => ({ kind: 'append', appends: Array.from({ length: count }, () => [4064]) })

/** Programs of batches of whole blocks that are torn behind entries which are known to be durable. */
export const tornLogSteps: fc.Arbitrary<readonly LogStep[]> = fc
  .array(
    fc
      .tuple(fc.constant<LogStep>({ kind: 'cut', keepBytes: 20_000 }), fc.integer({ min: 2, max: 4 }), downWithin(3))
      .map(([cut, count, down]) => [cut, blocks(count), down, blocks(1), settle]),
    { minLength: 2, maxLength: 5, size: 'max' },
  )
  .map((episodes) => [blocks(1), settle, ...episodes.flat(), powerCut])

const repairSites = logSites.filter((site) => site.startsWith('log.repair.'))

/** Programs of leader changes on a disk that rots and loses files while the machine is off. */
export const damageLogSteps: fc.Arbitrary<readonly LogStep[]> = fc
  .array(
    fc.oneof(
      { weight: 2, arbitrary: episode },
      { weight: 1, arbitrary: damage.map((step) => [step]) },
      { weight: 1, arbitrary: fc.tuple(trapAt(repairSites), damage) },
    ),
    { minLength: 2, maxLength: 6, size: 'max' },
  )
  .map((episodes) => [three, three, settle, ...episodes.flat()])
