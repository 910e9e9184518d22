import type { SimRandom } from '@o3/common/env/sim'
import type { Operation, Outcome, Place } from '../../src/testing/history/operation.ts'

type Operations<Input, Output> = readonly Operation<Input, Output>[]

/** Changes a history a little; what comes out may still be right. Every client keeps to one operation at a time. */
export function mutate<Input, Output>(
  random: SimRandom,
  operations: Operations<Input, Output>,
  output: (random: SimRandom, input: Input) => Output,
): Operations<Input, Output> {
  const at = random.below(operations.length)
  const chosen = operations[at]!
  const { outcome, place } = chosen
  const replaced = (change: Partial<Operation<Input, Output>>): Operations<Input, Output> =>
    operations.with(at, { ...chosen, ...change })
  switch (random.below(5)) {
    case 0:
      return outcome.kind === 'open'
        ? operations
        : replaced({ outcome: { ...outcome, output: output(random, chosen.input) } })
    case 1: {
      const { place: _, ...others } = chosen
      return operations.with(at, { ...others, outcome: { kind: 'open' } })
    }
    case 2:
      return swapMoments(operations, random)
    case 3:
      return place === undefined ? operations : replaced({ place: moved(random, place) })
    default:
      return operations.length > 2 ? operations.toSpliced(at, 1) : operations
  }
}

function moved(random: SimRandom, place: Place): Place {
  if (random.chance(0.2)) return { ...place, kind: place.kind === 'at' ? 'after' : 'at' }
  return { ...place, index: Math.max(0, place.index + random.below(5) - 2) }
}

/** Two events that follow each other change places, or get the same time. */
function swapMoments<Input, Output>(
  operations: Operations<Input, Output>,
  random: SimRandom,
): Operations<Input, Output> {
  const moments = operations.flatMap(({ call, outcome }) => (outcome.kind === 'open' ? [call] : [call, outcome.at]))
  moments.sort((a, b) => a - b)
  const at = random.below(Math.max(1, moments.length - 1))
  const [one = 0, other = 0] = moments.slice(at)
  const equal = random.chance(0.3)
  const shift = (moment: number): number => (moment === one ? other : moment === other && !equal ? one : moment)
  const shifted = operations.map((operation) => {
    const outcome: Outcome<Output> =
      operation.outcome.kind === 'open' ? operation.outcome : { ...operation.outcome, at: shift(operation.outcome.at) }
    return { ...operation, call: shift(operation.call), outcome }
  })
  return shifted.every(({ call, outcome }) => outcome.kind === 'open' || call <= outcome.at) ? shifted : operations
}
