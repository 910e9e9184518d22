import type { Model } from '../../src/testing/history/model.ts'
import type { Operation } from '../../src/testing/history/operation.ts'

/**
 * The definition, word by word: is there a set of open operations and an order of them with all the answered ones, such
 * that whoever must come before another does, and the model takes each step? For up to seven operations.
 */
export function bruteForce<State extends NonNullable<unknown>, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  mustPrecede: (one: Operation<Input, Output>, other: Operation<Input, Output>) => boolean,
): boolean {
  const optional = operations.filter(({ outcome, place }) => outcome.kind === 'open' && place === undefined)
  const required = operations.filter((operation) => !optional.includes(operation))
  return subsets(optional).some((happened) =>
    permutations([...required, ...happened]).some(
      (order) =>
        order.every((one, at) => order.slice(0, at).every((before) => !mustPrecede(one, before))) &&
        keepsViewsWhole(order) &&
        explains(model, order),
    ),
  )
}

export function endsBefore<Input, Output>(one: Operation<Input, Output>, other: Operation<Input, Output>): boolean {
  return one.outcome.kind === 'answered' && one.outcome.at < other.call
}

/** What stands after one index sees one state: a lost operation that comes in between would have an index in between. */
function keepsViewsWhole<Input, Output>(order: readonly Operation<Input, Output>[]): boolean {
  return order.every((lost, at) => {
    if (lost.place !== undefined) return true
    const views = (part: readonly Operation<Input, Output>[]): readonly number[] =>
      part.flatMap(({ key, place }) => (key === lost.key && place?.kind === 'after' ? [place.index] : []))
    const before = new Set(views(order.slice(0, at)))
    return views(order.slice(at)).every((index) => !before.has(index))
  })
}

function explains<State extends NonNullable<unknown>, Input, Output>(
  model: Model<State, Input, Output>,
  order: readonly Operation<Input, Output>[],
): boolean {
  const states = new Map<string, State>()
  return order.every(({ key, input, outcome, place }) => {
    const before = states.get(key) ?? model.init
    const after = model.step(before, input, outcome)
    if (after === undefined) return false
    states.set(key, after)
    return place?.kind !== 'after' || model.identity(after) === model.identity(before)
  })
}

function subsets<T>(items: readonly T[]): readonly (readonly T[])[] {
  return items.reduce<readonly (readonly T[])[]>((sets, item) => [...sets, ...sets.map((set) => [...set, item])], [[]])
}

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]))
}
