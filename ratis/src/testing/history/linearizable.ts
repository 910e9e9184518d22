import type { Model } from './model.ts'
import type { Operation, Recorded } from './operation.ts'
import { searchOrder, type Interval, type StepBudget } from './order-search.ts'
import { shortestPrefix } from './shortest-prefix.ts'
import { renderViolation } from './render-violation.ts'

export interface CheckLimits {
  /** How often the model may be asked, for all keys together. Default 2,000,000; it also bounds the memory. */
  readonly mostSteps?: number
}

/** No order explains these operations. */
export interface Unexplained<Input, Output> {
  readonly key: string
  /** The shortest beginning of the key's history that cannot be; it ends with the answer of `culprit`. */
  readonly prefix: readonly Operation<Input, Output>[]
  readonly culprit: Operation<Input, Output>
  /** For people, 80 columns wide: the operations around the culprit, and an order of what came before it. */
  readonly report: string
}

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

export const defaultMostSteps = 2_000_000

/**
 * Whether each operation can have taken effect at one moment between its call and its answer, such that `model` gives all
 * the answers that were given; each key on its own. The store is not asked for anything but its answers.
 *
 * Hard in general, quick for what tests record: up to some thousand operations a key, ten or twenty clients, and ten
 * losses. A violation stops the check at the first key that has one.
 */
export function checkLinearizable<State extends NonNullable<unknown>, Input, Output>(
  model: Model<State, Input, Output>,
  history: Recorded<Input, Output>,
  limits: CheckLimits = {},
): LinearizabilityVerdict<Input, Output> {
  const { mostSteps = defaultMostSteps } = limits
  const budget: StepBudget = { left: mostSteps }
  const orders = new Map<string, readonly Operation<Input, Output>[]>()
  for (const [key, operations] of byKey(history.operations)) {
    const result = searchOrder(model, operations.map(byTime), budget)
    const steps = mostSteps - Math.max(0, budget.left)
    if (result.kind === 'gave-up') return { kind: 'gave-up', steps, key }
    if (result.kind === 'none') {
      return {
        kind: 'violation',
        steps,
        ...explain(model, { key, operations, reachedTo: result.reachedTo, mostSteps }),
      }
    }
    orders.set(key, result.order)
  }
  return { kind: 'ok', steps: mostSteps - budget.left, orders }
}

function byKey<Input, Output>(
  operations: readonly Operation<Input, Output>[],
): ReadonlyMap<string, readonly Operation<Input, Output>[]> {
  const keys = new Map<string, Operation<Input, Output>[]>()
  for (const operation of operations) {
    const others = keys.get(operation.key)
    if (others === undefined) keys.set(operation.key, [operation])
    else others.push(operation)
  }
  return keys
}

function byTime<Input, Output>(operation: Operation<Input, Output>): Interval<Input, Output> {
  const { call, outcome } = operation
  const to = outcome.kind === 'answered' ? outcome.at : Infinity
  return { operation, from: call, to, outcome, changesNothing: false }
}

interface Failed<Input, Output> {
  readonly key: string
  readonly operations: readonly Operation<Input, Output>[]
  readonly reachedTo: number
  readonly mostSteps: number
}

function explain<State extends NonNullable<unknown>, Input, Output>(
  model: Model<State, Input, Output>,
  failed: Failed<Input, Output>,
): Unexplained<Input, Output> {
  const { key, operations, reachedTo, mostSteps } = failed
  const found = shortestPrefix(model, operations.map(byTime), { reachedTo, mostSteps })
  const prefix = found.prefix.map(({ operation, outcome }) => ({ ...operation, outcome }))
  const report = renderViolation(model, { key, found })
  return { key, prefix, culprit: found.culprit.operation, report }
}
