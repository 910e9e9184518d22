import type { Model } from './model.ts'
import type { Operation } from './operation.ts'
import type { Interval } from './order-search.ts'
import { renderViolation } from './render-violation.ts'
import { shortestPrefix } from './shortest-prefix.ts'

/** No order explains these operations. */
export interface Unexplained<Input, Output> {
  readonly key: string
  /** The shortest beginning of the key's history that cannot be; it ends with the answer of `culprit`. */
  readonly prefix: readonly Operation<Input, Output>[]
  readonly culprit: Operation<Input, Output>
  /** For people, 80 columns wide: the operations around the culprit, and an order of what came before it. */
  readonly report: string
}

/** Of the intervals of one key that have no order, what cannot be and why. */
export function explain<State extends NonNullable<unknown>, Input, Output>(
  model: Model<State, Input, Output>,
  failed: { readonly key: string; readonly intervals: readonly Interval<Input, Output>[]; readonly reachedTo: number },
): Unexplained<Input, Output> {
  const { key, intervals, reachedTo } = failed
  const found = shortestPrefix(model, intervals, reachedTo)
  const prefix = found.prefix.map(({ operation, outcome }) => ({ ...operation, outcome }))
  return { key, prefix, culprit: found.culprit.operation, report: renderViolation(model, { key, found }) }
}
