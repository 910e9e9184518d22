import { byKey } from './by-key.ts'
import { CheckBudget, type CheckLimits } from './check-limits.ts'
import { explain, type Unexplained } from './explain.ts'
import type { Model } from './model.ts'
import type { Operation, Recorded } from './operation.ts'
import { searchOrder, type Interval } from './order-search.ts'

export type LinearizabilityVerdict<Input, Output> =
  | {
      readonly kind: 'ok'
      readonly steps: number
      /** Of each key an order that explains it; open operations that need not have happened are not in it. */
      readonly orders: ReadonlyMap<string, readonly Operation<Input, Output>[]>
    }
  | ({ readonly kind: 'violation'; readonly steps: number } & Unexplained<Input, Output>)
  /** Nothing is known. For a test that is a failure: make its histories shorter, or its losses fewer. */
  | { readonly kind: 'gave-up'; readonly steps: number; readonly key: string }

/**
 * Whether each operation can have taken effect at one moment between its call and its answer, such that `model` gives all
 * the answers that were given; each key on its own. The store is not asked for anything but its answers.
 *
 * Hard in general, quick for what tests record: up to some thousand operations a key, ten or twenty clients, and ten
 * losses. A violation ends the check at the first key that has one.
 */
export function checkLinearizable<State extends NonNullable<unknown>, Input, Output>(
  model: Model<State, Input, Output>,
  history: Recorded<Input, Output>,
  limits: CheckLimits = {},
): LinearizabilityVerdict<Input, Output> {
  const budget = new CheckBudget(limits)
  const orders = new Map<string, readonly Operation<Input, Output>[]>()
  for (const [key, operations] of byKey(history.operations)) {
    const intervals = operations.map(byTime)
    const result = searchOrder(model, intervals, budget)
    const steps = budget.spent
    if (result.kind === 'gave-up') return { kind: 'gave-up', steps, key }
    if (result.kind === 'none') {
      return { kind: 'violation', steps, ...explain(model, { key, intervals, reachedTo: result.reachedTo }) }
    }
    orders.set(key, result.order)
  }
  return { kind: 'ok', steps: budget.spent, orders }
}

function byTime<Input, Output>(operation: Operation<Input, Output>): Interval<Input, Output> {
  const { call, outcome } = operation
  const to = outcome.kind === 'answered' ? outcome.at : Infinity
  return { operation, from: call, to, outcome, changesNothing: false }
}
