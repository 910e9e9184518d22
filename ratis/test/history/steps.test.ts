import { expect, test } from 'vitest'
import type { SimRandom } from '@o3/common/env/sim'
import { conditionalKeyModel } from '../../src/testing/history/conditional-key-model.ts'
import { counterModel } from '../../src/testing/history/counter-model.ts'
import { checkLinearizable, type LinearizabilityVerdict } from '../../src/testing/history/linearizable.ts'
import { listModel } from '../../src/testing/history/list-model.ts'
import type { SequentialModel } from '../../src/testing/history/model.ts'
import { registerModel } from '../../src/testing/history/register-model.ts'
import { conditionalKeyInput, counterInput, listInput, registerInput, uniqueWrites } from './inputs.ts'
import { RightServer, runWorkload, type Workload } from './workload.ts'

// What a check may cost is counted in questions to the model, so that a busy machine does not fail it. All clients are busy
// all the time, with one object.

function checking<State extends NonNullable<unknown>, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  input: (random: SimRandom, nth: number) => Input,
): (workload: Omit<Workload<Input>, 'input'>, mostSteps?: number) => LinearizabilityVerdict<Input, Output> {
  return (workload, mostSteps = 2_000_000) =>
    checkLinearizable(model, runWorkload(new RightServer(model), { ...workload, input }), { mostSteps })
}

const register = checking(registerModel, registerInput)
const uniqueRegister = checking(registerModel, uniqueWrites)
const counter = checking(counterModel, counterInput)
const list = checking(listModel, listInput)
const conditionalKey = checking(conditionalKeyModel, conditionalKeyInput)

test.each([
  { name: 'a register', check: register, most: 20_000 },
  { name: 'a register of unique values', check: uniqueRegister, most: 60_000 },
  { name: 'a counter', check: counter, most: 20_000 },
  { name: 'a key with preconditions', check: conditionalKey, most: 20_000 },
])('5,000 operations of ten clients: $name', ({ check, most }) => {
  const { kind, steps } = check({ seed: 1, clients: 10, operations: 5_000 })
  expect({ kind, steps, few: steps < most }).toEqual({ kind: 'ok', steps, few: true })
})

test.each([
  { name: 'a register of unique values', check: uniqueRegister, clients: 12, most: 200_000 },
  { name: 'a list', check: list, clients: 20, most: 20_000 },
  { name: 'a key with preconditions', check: conditionalKey, clients: 20, most: 100_000 },
])('1,000 operations of $clients clients, ten of them lost: $name', ({ check, clients, most }) => {
  const { kind, steps } = check({ seed: 2, clients, operations: 1_000, losses: 10 })
  expect({ kind, steps, few: steps < most }).toEqual({ kind: 'ok', steps, few: true })
})

test('a search that would take more steps than it has gives up, and says so', () => {
  const verdict = register({ seed: 1, clients: 10, operations: 5_000 }, 1_000)
  expect(verdict).toEqual({ kind: 'gave-up', key: 'k0', steps: 1_000 })
})
