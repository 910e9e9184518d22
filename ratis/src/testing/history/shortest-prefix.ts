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
  const search = (end: number, strictly: 'before' | 'up to') =>
    searchOrder(model, prefixOf(intervals, end, strictly), { left: mostStepsEach })
  const ends = intervals.filter(({ to }) => to !== Infinity && to >= reachedTo).toSorted((a, b) => a.to - b.to)
  let [low, high] = [0, ends.length - 1]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (search(endAt(ends, middle).to, 'up to').kind === 'none') high = middle
    else low = middle + 1
  }
  const culprit = endAt(ends, high)
  const before = search(culprit.to, 'before')
  return {
    prefix: prefixOf(intervals, culprit.to, 'up to'),
    culprit,
    before: before.kind === 'found' ? before : undefined,
  }
}

function endAt<Input, Output>(ends: readonly Interval<Input, Output>[], index: number): Interval<Input, Output> {
  const interval = ends[index]
  assert(interval !== undefined, 'operations without an answer always have an order')
  return interval
}

function prefixOf<Input, Output>(
  intervals: readonly Interval<Input, Output>[],
  end: number,
  strictly: 'before' | 'up to',
): readonly Interval<Input, Output>[] {
  return intervals
    .filter(({ from }) => from <= end)
    .map((interval) => {
      const ended = strictly === 'before' ? interval.to < end : interval.to <= end
      return ended ? interval : { ...interval, to: Infinity, outcome: { kind: 'open' } }
    })
}
