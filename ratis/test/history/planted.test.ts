import { describe, expect, test } from 'vitest'
import { SimRandom } from '@o3/common/env/sim'
import { checkByIndex } from '../../src/testing/history/by-index.ts'
import { counterModel, type CounterInput } from '../../src/testing/history/counter-model.ts'
import { keySpaceModel, type KeySpaceInput, type KeySpaceOutput } from '../../src/testing/history/key-space-model.ts'
import { checkLinearizable } from '../../src/testing/history/linearizable.ts'
import type { SequentialModel } from '../../src/testing/history/model.ts'
import type { Place } from '../../src/testing/history/operation.ts'
import { registerModel, type RegisterInput, type RegisterOutput } from '../../src/testing/history/register-model.ts'
import { counterInput, keySpaceInput, registerInput } from './inputs.ts'
import { RightServer, runWorkload, type Server } from './workload.ts'

/** How many histories of 60 operations may be needed to find a bug. */
const budget = 20

type Request<Input> = { readonly client: string; readonly key: string; readonly input: Input }
type Served<Output> = { readonly output: Output; readonly place: Place }

function expectFound<State extends NonNullable<unknown>, Input, Output>(subject: {
  readonly model: SequentialModel<State, Input, Output>
  readonly input: (random: SimRandom, nth: number) => Input
  readonly plant: (random: SimRandom) => Server<Input, Output>
}): void {
  const { model, input, plant } = subject
  const found = { search: 0, index: 0 }
  for (let seed = 0; seed < budget; seed++) {
    const workload = { seed, clients: 4, operations: 60, losses: 2, keys: 2, input }
    const history = runWorkload(plant(new SimRandom(seed).fork('bug')), workload)
    const [search, index] = [checkLinearizable(model, history), checkByIndex(model, history)]
    expect([search.kind, index.kind]).not.toContain('gave-up')
    if (search.kind === 'violation') found.search++
    if (index.kind !== 'ok') found.index++
    // A store whose own order explains everything is right.
    if (search.kind === 'violation') expect(index.kind).not.toBe('ok')
  }
  expect(found.search).toBeGreaterThan(0)
  expect(found.index).toBeGreaterThan(0)
}

describe('register', () => {
  type Planted = Server<RegisterInput, RegisterOutput>
  const register = (
    plant: (random: SimRandom, right: RightServer<{ value: number | null }, RegisterInput, RegisterOutput>) => Planted,
  ) =>
    expectFound({
      model: registerModel,
      input: registerInput,
      plant: (random) => plant(random, new RightServer(registerModel)),
    })

  test('a follower that lags answers a read', () =>
    register((random, right) => {
      let follower = new Map(right.states)
      return {
        serve(request) {
          if (random.chance(0.2)) follower = new Map(right.states)
          const served = right.serve(request)
          if (request.input.kind !== 'read' || !random.chance(0.3)) return served
          return { ...served, output: follower.get(request.key) ?? registerModel.init }
        },
      }
    }))

  test('a write is acknowledged and forgotten', () =>
    register((random, right) => ({
      serve(request) {
        const before = new Map(right.states)
        const served = right.serve(request)
        if (served.place.kind === 'at' && random.chance(0.1)) {
          right.states.clear()
          for (const [key, state] of before) right.states.set(key, state)
        }
        return served
      },
    })))

  test('two leaders at once', () =>
    register((random, right) => {
      const other = new RightServer(registerModel)
      return {
        serve: (request) => (request.client.startsWith('c0') && random.chance(0.9) ? other : right).serve(request),
      }
    }))

  test('a read sees what is never committed', () =>
    register((random, right) => ({
      serve(request) {
        if (request.input.kind !== 'read' || !random.chance(0.2)) return right.serve(request)
        return { ...right.serve(request), output: { value: 7 } }
      },
    })))

  test('a write that was replaced comes back', () =>
    register((random, right) => {
      let late: Request<RegisterInput> | undefined
      return {
        serve(request) {
          const served = right.serve(request)
          if (late !== undefined && random.chance(0.2)) {
            right.serve(late)
            late = undefined
          } else if (request.input.kind === 'write' && random.chance(0.3)) late = request
          return served
        },
      }
    }))
})

test('a retry is applied twice', () =>
  expectFound<number, CounterInput, number>({
    model: counterModel,
    input: counterInput,
    plant(random) {
      const right = new RightServer(counterModel)
      return {
        serve(request) {
          if (request.input.kind === 'add' && random.chance(0.1)) right.serve(request)
          return right.serve(request)
        },
      }
    },
  }))

test('a read is answered with a place that it did not see', () => {
  const right = new RightServer(registerModel)
  const random = new SimRandom(1)
  const history = runWorkload(
    {
      serve(request: Request<RegisterInput>): Served<RegisterOutput> {
        const { output, place } = right.serve(request)
        return { output, place: place.kind === 'after' ? { ...place, index: Math.max(0, place.index - 3) } : place }
      },
    },
    { seed: random.below(100), clients: 3, operations: 40, input: registerInput },
  )
  expect(checkLinearizable(registerModel, history)).toMatchObject({ kind: 'ok' })
  expect(['violation', 'out-of-order']).toContain(checkByIndex(registerModel, history).kind)
})

describe('key space', () => {
  const keySpace = (twist: (random: SimRandom, output: KeySpaceOutput, earlier: KeySpaceOutput) => KeySpaceOutput) =>
    expectFound<Readonly<Record<string, string>>, KeySpaceInput, KeySpaceOutput>({
      model: keySpaceModel,
      input: keySpaceInput,
      plant(random) {
        const right = new RightServer(keySpaceModel)
        let before = new Map(right.states)
        return {
          serve(request) {
            const { output, place } = right.serve(request)
            const stale = keySpaceModel.apply(before.get(request.key) ?? {}, request.input).output
            if (random.chance(0.2)) before = new Map(right.states)
            return { output: request.input.kind === 'list' ? twist(random, output, stale) : output, place }
          },
        }
      },
    })

  test('a page is of no one moment: half of it is older', () =>
    keySpace((_, output, earlier) => {
      if (typeof output === 'string' || typeof earlier === 'string') return output
      if (!('names' in output) || !('names' in earlier)) return output
      const half = Math.ceil(output.names.length / 2)
      const names = [
        ...output.names.slice(0, half),
        ...earlier.names.filter((name) => name > (output.names[half - 1] ?? '')),
      ]
      return { ...output, names }
    }))

  test('a name is left out at the end of a page', () =>
    keySpace((random, output) => {
      if (typeof output === 'string' || !('names' in output) || !random.chance(0.1)) return output
      return { ...output, names: output.names.slice(0, -1) }
    }))
})
