import { assert } from '@o3/common/errors'
import type { Model } from './model.ts'
import type { Operation } from './operation.ts'
import { searchOrder, type Interval } from './order-search.ts'

export interface FailedPrefix<State, Input, Output> {
  /** Those that had begun by the end of `culprit`; what ended later is open. */
  readonly prefix: readonly Interval<Input, Output>[]
  readonly culprit: Interval<Input, Output>
  /** An order of all that ended before, if the search for one did not give up, and the state it leads to. */
  readonly before: { readonly order: readonly Operation<Input, Output>[]; readonly state: State } | undefined
}

const mostStepsEach = 200_000

/**
 * The shortest beginning of intervals that have no order, by bisection: what has none does not get one by going on. The
 * search has shown that what ends before `reachedTo` has one. Where a search gives up, the prefix is left longer.
 */
export function shortestPrefix<State extends NonNullable<unknown>, Input, Output>(
  model: Model<State, Input, Output>,
  intervals: readonly Interval<Input, Output>[],
  reachedTo: number,
): FailedPrefix<State, Input, Output> {
  const ends = intervals.filter(({ to }) => to !== Infinity).toSorted((a, b) => a.to - b.to)
  const search = (ended: number) => searchOrder(model, prefixOf(intervals, ends, ended), { left: mostStepsEach })
  let [low, high] = [ends.findIndex(({ to }) => to >= reachedTo), ends.length - 1]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (search(middle + 1).kind === 'none') high = middle
    else low = middle + 1
  }
  const culprit = ends[high]
  assert(culprit !== undefined, 'operations without an answer always have an order')
  const before = search(high)
  return {
    prefix: prefixOf(intervals, ends, high + 1),
    culprit,
    before: before.kind === 'found' ? before : undefined,
  }
}

/** What had begun when the first `ended` of the ends were there. Of ends at the same moment one comes after the other. */
function prefixOf<Input, Output>(
  intervals: readonly Interval<Input, Output>[],
  ends: readonly Interval<Input, Output>[],
  ended: number,
): readonly Interval<Input, Output>[] {
  const until = ends[ended - 1]?.to ?? -Infinity
  const closed = new Set(ends.slice(0, ended))
  return intervals
    .filter(({ from }) => from <= until)
    .map((interval) => (closed.has(interval) ? interval : { ...interval, to: Infinity, outcome: { kind: 'open' } }))
}
