import { describe, expect, test } from 'vitest'
import { SimRandom } from '@o3/common/env/sim'
import { checkByIndex } from '../../src/testing/history/by-index.ts'
import { conditionalKeyModel, type ConditionalKeyOutput } from '../../src/testing/history/conditional-key-model.ts'
import { counterModel } from '../../src/testing/history/counter-model.ts'
import { checkLinearizable } from '../../src/testing/history/linearizable.ts'
import { listModel, type ListOutput } from '../../src/testing/history/list-model.ts'
import type { SequentialModel } from '../../src/testing/history/model.ts'
import type { Operation } from '../../src/testing/history/operation.ts'
import { registerModel, type RegisterOutput } from '../../src/testing/history/register-model.ts'
import { bruteForce, endsBefore } from './brute-force.ts'
import { conditionalKeyInput, counterInput, listInput, registerInput } from './inputs.ts'
import { mutate } from './mutations.ts'
import { RightServer, runWorkload } from './workload.ts'

const cases = Number(process.env['RUNS'] ?? 1500)

interface Subject<State extends NonNullable<unknown>, Input, Output> {
  readonly name: string
  readonly model: SequentialModel<State, Input, Output>
  readonly input: (random: SimRandom, nth: number) => Input
  readonly output: (random: SimRandom, input: Input) => Output
}

/** A short history of a right server, of two keys at times, with up to three changes. */
function drawn<State extends NonNullable<unknown>, Input, Output>(
  { model, input, output, name }: Subject<State, Input, Output>,
  nth: number,
): readonly Operation<Input, Output>[] {
  const random = new SimRandom(`${name}/${nth}`)
  const history = runWorkload(new RightServer(model), {
    seed: `${name}/${nth}/workload`,
    clients: 2 + random.below(4),
    operations: 3 + random.below(nth % 20 === 0 ? 5 : 4),
    keys: 1 + random.below(2),
    losses: random.below(3),
    input,
  })
  let { operations } = history
  for (let changes = random.below(4); changes > 0; changes--) operations = mutate(random, operations, output)
  return operations
}

/** As a client sees it, who knows nothing of a log. */
function withoutPlaces<Input, Output>(
  operations: readonly Operation<Input, Output>[],
): readonly Operation<Input, Output>[] {
  return operations.map(({ client, key, input, call, outcome }) => ({ client, key, input, call, outcome }))
}

/** The rules of the log for two operations, and for the place that a lost one may have at the earliest. */
function precedesByIndex<Input, Output>(operations: readonly Operation<Input, Output>[]) {
  const earliest = (lost: Operation<Input, Output>): number =>
    Math.max(-1, ...operations.map((one) => (endsBefore(one, lost) ? (one.place?.index ?? -1) : -1)))
  return (one: Operation<Input, Output>, other: Operation<Input, Output>): boolean => {
    if (endsBefore(one, other)) return true
    if (one.place === undefined) return false
    if (other.place === undefined) return one.place.index <= earliest(other)
    if (one.place.kind === 'at') {
      return other.place.kind === 'at' ? one.place.index < other.place.index : one.place.index <= other.place.index
    }
    return one.place.index < other.place.index
  }
}

/** Time must not contradict the log: an answer at or after an index, and a write not behind it or a read that saw less. */
function contradictsTime<Input, Output>(operations: readonly Operation<Input, Output>[]): boolean {
  return operations.some((one) =>
    operations.some((other) => {
      if (!endsBefore(one, other) || one.place === undefined || other.place === undefined) return false
      return other.place.kind === 'at' ? other.place.index <= one.place.index : other.place.index < one.place.index
    }),
  )
}

function agreement<State extends NonNullable<unknown>, Input, Output>(subject: Subject<State, Input, Output>): void {
  const { model, name } = subject
  describe(name, () => {
    test('the search says what trying all orders says', () => {
      const verdicts = { ok: 0, violation: 0, 'gave-up': 0 }
      for (let nth = 0; nth < cases; nth++) {
        const operations = withoutPlaces(drawn(subject, nth))
        const { kind } = checkLinearizable(model, { operations })
        const expected = bruteForce(model, operations, endsBefore) ? 'ok' : 'violation'
        expect({ nth, kind, operations }).toEqual({ nth, kind: expected, operations })
        verdicts[kind]++
      }
      expect(verdicts.ok).toBeGreaterThan(cases / 10)
      expect(verdicts.violation).toBeGreaterThan(cases / 10)
    })

    test('the check by index says what trying all orders of the log says', () => {
      const verdicts = { ok: 0, violation: 0, 'out-of-order': 0, 'gave-up': 0 }
      for (let nth = 0; nth < cases; nth++) {
        const operations = drawn(subject, nth)
        const { kind } = checkByIndex(model, { operations })
        const expected = contradictsTime(operations)
          ? 'out-of-order'
          : bruteForce(model, operations, precedesByIndex(operations))
            ? 'ok'
            : 'violation'
        expect({ nth, kind, operations }).toEqual({ nth, kind: expected, operations })
        verdicts[kind]++
      }
      expect(verdicts.ok).toBeGreaterThan(cases / 10)
      expect(verdicts.violation).toBeGreaterThan(cases / 20)
      expect(verdicts['out-of-order']).toBeGreaterThan(cases / 100)
    })

    test('what the check by index accepts, the search does', () => {
      for (let nth = 0; nth < cases; nth++) {
        const history = { operations: drawn(subject, nth) }
        if (checkByIndex(model, history).kind !== 'ok') continue
        expect({ nth, kind: checkLinearizable(model, history).kind }).toEqual({ nth, kind: 'ok' })
      }
    })

    test('the shortest prefix has no order, and one without its last answer has', () => {
      for (let nth = 0; nth < cases; nth++) {
        const verdict = checkLinearizable(model, { operations: withoutPlaces(drawn(subject, nth)) })
        if (verdict.kind !== 'violation') continue
        const { prefix, culprit } = verdict
        const open = prefix.map((operation) =>
          operation.call === culprit.call && operation.client === culprit.client
            ? { ...operation, outcome: { kind: 'open' } as const }
            : operation,
        )
        const said = [bruteForce(model, prefix, endsBefore), bruteForce(model, open, endsBefore)]
        expect({ nth, said }).toEqual({ nth, said: [false, true] })
      }
    })
  })
}

agreement({
  name: 'register',
  model: registerModel,
  input: registerInput,
  output: (random, { kind }): RegisterOutput =>
    kind === 'read' ? { value: [null, 0, 1, 2][random.below(4)]! } : random.chance(0.5) ? 'ok' : 'refused',
})

agreement({
  name: 'counter',
  model: counterModel,
  input: counterInput,
  output: (random) => random.below(6),
})

agreement({
  name: 'list',
  model: listModel,
  input: listInput,
  output: (random, { kind }): ListOutput =>
    kind === 'append' ? 'ok' : Array.from({ length: random.below(4) }, () => random.below(4)),
})

agreement({
  name: 'key with preconditions',
  model: conditionalKeyModel,
  input: conditionalKeyInput,
  output(random, { kind }): ConditionalKeyOutput {
    if (kind === 'get') return { etag: random.chance(0.3) ? null : `e${random.below(5)}` }
    return (['ok', 'precondition-failed', 'no-such-key'] as const)[random.below(3)]!
  },
})
