import { assert } from '@o3/common/errors'
import { byKey } from './by-key.ts'
import { CheckBudget, type CheckLimits } from './check-limits.ts'
import { explain, type Unexplained } from './explain.ts'
import type { Model } from './model.ts'
import type { Operation, Place, Recorded } from './operation.ts'
import { searchOrder, type Interval } from './order-search.ts'

export type IndexVerdict<Input, Output> =
  | { readonly kind: 'ok'; readonly steps: number }
  /** `later` was called after `earlier` had been answered, and stands before it in the log. */
  | {
      readonly kind: 'out-of-order'
      readonly earlier: Operation<Input, Output>
      readonly later: Operation<Input, Output>
      readonly report: string
    }
  | ({ readonly kind: 'violation'; readonly steps: number } & Unexplained<Input, Output>)
  /** Only where operations share an index or lost ones have no place. Nothing is known: a failure. */
  | { readonly kind: 'gave-up'; readonly steps: number; readonly key: string }

/**
 * Whether the order that the store itself claims explains its answers, and does not contradict time: whoever calls after an
 * answer sees what that answer saw, and writes behind it, whatever keys they are about. Every answered operation has a
 * place, in one log for all keys.
 *
 * Linear in the operations (and the sorting), so for millions. Operations that share an index, as those of one batch do, may
 * stand in any order there. One that was lost may have happened anywhere behind what had been answered when it was called;
 * an audit that finds its place (`History.placed`) saves the search for it. An operation *after* an index must change
 * nothing.
 */
export function checkByIndex<State extends NonNullable<unknown>, Input, Output>(
  model: Model<State, Input, Output>,
  history: Recorded<Input, Output>,
  limits: CheckLimits = {},
): IndexVerdict<Input, Output> {
  const { operations: all } = history
  const horizons = horizonsOf(all)
  for (const [later, earlier] of horizons) {
    if (earlier !== undefined && later.place !== undefined && !mayFollow(later.place, earlier.place)) {
      return { kind: 'out-of-order', earlier, later, report: contradiction(model, earlier, later) }
    }
  }
  const budget = new CheckBudget(limits)
  for (const [key, operations] of byKey(all)) {
    const intervals = operations.map((operation) => byPlace(operation, horizons.get(operation)))
    const result = searchOrder(model, intervals, budget)
    const steps = budget.spent
    if (result.kind === 'gave-up') return { kind: 'gave-up', steps, key }
    if (result.kind === 'none') {
      return { kind: 'violation', steps, ...explain(model, { key, intervals, reachedTo: result.reachedTo }) }
    }
  }
  return { kind: 'ok', steps: budget.spent }
}

type Placed<Input, Output> = Operation<Input, Output> & { readonly place: Place }

/** Of each operation the one with the highest index among those answered before its call. */
function horizonsOf<Input, Output>(
  operations: readonly Operation<Input, Output>[],
): ReadonlyMap<Operation<Input, Output>, Placed<Input, Output> | undefined> {
  const answers = operations
    .flatMap((operation) => {
      const { outcome, place } = operation
      if (outcome.kind === 'open') return []
      assert(place !== undefined, `the answered operation of ${operation.client} at ${operation.call} has no place`)
      return [{ at: outcome.at, operation: { ...operation, place } }]
    })
    .sort((a, b) => a.at - b.at)
  const horizons = new Map<Operation<Input, Output>, Placed<Input, Output> | undefined>()
  let highest: Placed<Input, Output> | undefined
  let next = 0
  for (const operation of operations.toSorted((a, b) => a.call - b.call)) {
    for (let answer = answers[next]; answer !== undefined && answer.at < operation.call; answer = answers[++next]) {
      if (highest === undefined || answer.operation.place.index > highest.place.index) highest = answer.operation
    }
    horizons.set(operation, highest)
  }
  return horizons
}

function mayFollow(later: Place, earlier: Place): boolean {
  return later.kind === 'at' ? later.index > earlier.index : later.index >= earlier.index
}

/** The log as time: index i is the moment 2i, and what saw it as the last one stands at 2i + 1. */
function byPlace<Input, Output>(
  operation: Operation<Input, Output>,
  horizon: Placed<Input, Output> | undefined,
): Interval<Input, Output> {
  const { place, outcome } = operation
  if (place === undefined) {
    const from = 2 * ((horizon?.place.index ?? -1) + 1)
    return { operation, from, to: Infinity, outcome, changesNothing: false }
  }
  const moment = place.kind === 'at' ? 2 * place.index : 2 * place.index + 1
  return { operation, from: moment, to: moment, outcome, changesNothing: place.kind === 'after' }
}

function contradiction<State extends NonNullable<unknown>, Input, Output>(
  model: Model<State, Input, Output>,
  earlier: Operation<Input, Output>,
  later: Operation<Input, Output>,
): string {
  const [first, second] = [earlier, later].map(({ client, key, input, outcome, place }) => {
    const what = `${client} ${JSON.stringify(key)} ${model.describe(input, outcome)}`
    return `${what}  (${place === undefined ? 'nowhere' : `${place.kind} ${place.index}`})`
  })
  return `time contradicts the log:\n  ${first}\nwas answered before the call of\n  ${second}`
}
