import type { SimRandom } from '@o3/common/env/sim'
import type { ConditionalKeyInput, KeyCondition } from '../../src/testing/history/conditional-key-model.ts'
import type { CounterInput } from '../../src/testing/history/counter-model.ts'
import type { KeySpaceInput } from '../../src/testing/history/key-space-model.ts'
import type { ListInput } from '../../src/testing/history/list-model.ts'
import type { RegisterInput } from '../../src/testing/history/register-model.ts'

/** Few values, so that swaps have something to meet. */
export function registerInput(random: SimRandom): RegisterInput {
  const value = (): number => random.below(3)
  const draw = random.below(10)
  if (draw < 4) return { kind: 'read' }
  if (draw < 7) return { kind: 'write', value: value() }
  if (draw < 9) return { kind: 'compare-and-swap', from: random.chance(0.3) ? null : value(), to: value() }
  return { kind: 'delete' }
}

export function uniqueWrites(random: SimRandom, nth: number): RegisterInput {
  return random.chance(0.5) ? { kind: 'read' } : { kind: 'write', value: nth }
}

export function counterInput(random: SimRandom): CounterInput {
  return random.chance(0.4) ? { kind: 'read' } : { kind: 'add', amount: 1 + random.below(2) }
}

export function listInput(random: SimRandom, nth: number): ListInput {
  return random.chance(0.4) ? { kind: 'read' } : { kind: 'append', value: nth }
}

export function conditionalKeyInput(random: SimRandom, nth: number): ConditionalKeyInput {
  const draw = random.below(10)
  if (draw < 4) return { kind: 'get' }
  const seen = `e${Math.max(0, nth - 1 - random.below(4))}`
  const condition: KeyCondition | undefined =
    draw < 6 ? undefined : draw < 8 ? { kind: 'absent' } : { kind: 'etag', etag: seen }
  const conditional = condition === undefined ? {} : { condition }
  if (random.chance(0.3) && condition?.kind !== 'absent') return { kind: 'delete', ...conditional }
  return { kind: 'put', etag: `e${nth}`, ...conditional }
}

export function keySpaceInput(random: SimRandom, nth: number): KeySpaceInput {
  const name = `${'ab'[random.below(2)]}${random.below(4)}`
  const draw = random.below(10)
  if (draw < 3) return { kind: 'put', name, etag: `e${nth}` }
  if (draw < 5) return { kind: 'delete', name }
  if (draw < 6) return { kind: 'get', name }
  return draw < 8 ? { kind: 'list' } : { kind: 'list', prefix: 'a', after: name, most: 2 }
}
