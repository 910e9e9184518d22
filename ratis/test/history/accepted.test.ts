import { describe, expect, test } from 'vitest'
import type { SimRandom } from '@o3/common/env/sim'
import { checkByIndex } from '../../src/testing/history/by-index.ts'
import { conditionalKeyModel } from '../../src/testing/history/conditional-key-model.ts'
import { counterModel } from '../../src/testing/history/counter-model.ts'

import { keySpaceModel } from '../../src/testing/history/key-space-model.ts'
import { checkLinearizable } from '../../src/testing/history/linearizable.ts'
import { listModel } from '../../src/testing/history/list-model.ts'
import type { SequentialModel } from '../../src/testing/history/model.ts'
import type { Operation, Recorded } from '../../src/testing/history/operation.ts'
import { registerModel } from '../../src/testing/history/register-model.ts'
import { conditionalKeyInput, counterInput, keySpaceInput, listInput, registerInput, uniqueWrites } from './inputs.ts'
import { RightServer, runWorkload } from './workload.ts'

/** Replays an order that a check found: it must be one, and it must say what was said. */
function expectExplains<State extends NonNullable<unknown>, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: Recorded<Input, Output>,
  order: readonly Operation<Input, Output>[],
): void {
  const answered = history.operations.filter(({ outcome }) => outcome.kind === 'answered')
  expect(new Set(order).size).toBe(order.length)
  expect(answered.filter((operation) => !order.includes(operation))).toEqual([])
  let state = model.init
  let latestCall = -1
  for (const { input, call, outcome } of order) {
    const { state: next, output } = model.apply(state, input)
    if (outcome.kind === 'answered') {
      expect(output).toEqual(outcome.output)
      expect(outcome.at).toBeGreaterThan(latestCall)
    }
    latestCall = Math.max(latestCall, call)
    state = next
  }
}

function suite<State extends NonNullable<unknown>, Input, Output>(
  name: string,
  model: SequentialModel<State, Input, Output>,
  input: (random: SimRandom, nth: number) => Input,
): void {
  describe(name, () => {
    test.each(Array.from({ length: 60 }, (_, seed) => ({ seed, clients: 2 + (seed % 6), losses: seed % 4 })))(
      'what a right server answers is accepted: seed $seed',
      ({ seed, clients, losses }) => {
        const workload = { seed: `${name}/${seed}`, clients, operations: 120, losses, input }
        const history = runWorkload(new RightServer(model), workload)
        const verdict = checkLinearizable(model, history)
        expect(verdict).toMatchObject({ kind: 'ok' })
        if (verdict.kind === 'ok') expectExplains(model, history, verdict.orders.get('k0') ?? [])
        expect(checkByIndex(model, history)).toMatchObject({ kind: 'ok' })
      },
    )
  })
}

suite('register', registerModel, registerInput)
suite('register of unique values', registerModel, uniqueWrites)
suite('counter', counterModel, counterInput)
suite('list', listModel, listInput)
suite('key with preconditions', conditionalKeyModel, conditionalKeyInput)
suite('key space', keySpaceModel, keySpaceInput)
