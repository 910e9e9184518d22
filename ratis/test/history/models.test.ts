import { expect, test } from 'vitest'
import { conditionalKeyModel, type ConditionalKeyInput } from '../../src/testing/history/conditional-key-model.ts'
import { counterModel, type CounterInput } from '../../src/testing/history/counter-model.ts'
import { keySpaceModel, type KeySpaceInput } from '../../src/testing/history/key-space-model.ts'
import { listModel, type ListInput } from '../../src/testing/history/list-model.ts'
import type { SequentialModel } from '../../src/testing/history/model.ts'
import { registerModel, type RegisterInput } from '../../src/testing/history/register-model.ts'

/** What each operation answers, one after the other, in the words of a report. */
function said<State extends NonNullable<unknown>, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  inputs: readonly Input[],
): readonly string[] {
  let state = model.init
  return inputs.map((input) => {
    const { state: next, output } = model.apply(state, input)
    const outcome = { kind: 'answered', at: 0, output } as const
    if (model.isReadOnly(input, outcome)) expect(model.identity(next)).toBe(model.identity(state))
    expect(model.step(state, input, outcome)).toEqual(next)
    expect(model.step(state, input, { kind: 'open' })).toEqual(next)
    state = next
    return model.describe(input, outcome)
  })
}

test('a register', () => {
  const inputs: readonly RegisterInput[] = [
    { kind: 'read' },
    { kind: 'delete' },
    { kind: 'compare-and-swap', from: null, to: 1 },
    { kind: 'compare-and-swap', from: 2, to: 3 },
    { kind: 'write', value: 4 },
    { kind: 'read' },
    { kind: 'delete' },
    { kind: 'read' },
  ]
  expect(said(registerModel, inputs)).toEqual([
    'read → {"value":null}',
    'delete → refused',
    'swap null for 1 → ok',
    'swap 2 for 3 → refused',
    'write 4 → ok',
    'read → {"value":4}',
    'delete → ok',
    'read → {"value":null}',
  ])
})

test('a counter', () => {
  const inputs: readonly CounterInput[] = [{ kind: 'add', amount: 2 }, { kind: 'add', amount: -5 }, { kind: 'read' }]
  expect(said(counterModel, inputs)).toEqual(['add 2 → 2', 'add -5 → -3', 'read → -3'])
})

test('a list', () => {
  const inputs: readonly ListInput[] = [{ kind: 'append', value: 2 }, { kind: 'append', value: 1 }, { kind: 'read' }]
  expect(said(listModel, inputs)).toEqual(['append 2 → ok', 'append 1 → ok', 'read → [2,1]'])
})

test('a key with preconditions', () => {
  const absent = { kind: 'absent' } as const
  const etag = (name: string) => ({ kind: 'etag', etag: name }) as const
  const inputs: readonly ConditionalKeyInput[] = [
    { kind: 'get' },
    { kind: 'delete' },
    { kind: 'delete', condition: etag('a') },
    { kind: 'put', etag: 'a', condition: etag('b') },
    { kind: 'put', etag: 'a', condition: absent },
    { kind: 'put', etag: 'b', condition: absent },
    { kind: 'put', etag: 'b', condition: etag('c') },
    { kind: 'put', etag: 'b', condition: etag('a') },
    { kind: 'get' },
    { kind: 'delete', condition: etag('a') },
    { kind: 'put', etag: 'c' },
    { kind: 'delete', condition: etag('c') },
    { kind: 'get' },
  ]
  expect(said(conditionalKeyModel, inputs)).toEqual([
    'get → {"etag":null}',
    'delete → ok',
    'delete if a → no-such-key',
    'put a if b → no-such-key',
    'put a if absent → ok',
    'put b if absent → precondition-failed',
    'put b if c → precondition-failed',
    'put b if a → ok',
    'get → {"etag":"b"}',
    'delete if a → precondition-failed',
    'put c → ok',
    'delete if c → ok',
    'get → {"etag":null}',
  ])
})

test('a key space', () => {
  const inputs: readonly KeySpaceInput[] = [
    { kind: 'list' },
    { kind: 'put', name: 'b/1', etag: 'x' },
    { kind: 'put', name: 'a', etag: 'y' },
    { kind: 'put', name: 'b/2', etag: 'z' },
    { kind: 'list' },
    { kind: 'list', prefix: 'b/' },
    { kind: 'list', after: 'a', most: 1 },
    { kind: 'list', most: 0 },
    { kind: 'get', name: 'a' },
    { kind: 'delete', name: 'a' },
    { kind: 'delete', name: 'a' },
    { kind: 'get', name: 'a' },
    { kind: 'list', prefix: 'b', after: 'b/1', most: 1 },
  ]
  expect(said(keySpaceModel, inputs)).toEqual([
    'list * after "" → {"names":[],"isTruncated":false}',
    'put b/1 x → ok',
    'put a y → ok',
    'put b/2 z → ok',
    'list * after "" → {"names":["a","b/1","b/2"],"isTruncated":false}',
    'list b/* after "" → {"names":["b/1","b/2"],"isTruncated":false}',
    'list * after "a" → {"names":["b/1"],"isTruncated":true}',
    'list * after "" → {"names":[],"isTruncated":true}',
    'get a → {"etag":"y"}',
    'delete a → ok',
    'delete a → ok',
    'get a → {"etag":null}',
    'list b* after "b/1" → {"names":["b/2"],"isTruncated":false}',
  ])
})

test('the order in which names were put is not part of a key space', () => {
  const put = (name: string) => ({ kind: 'put', name, etag: 'x' }) as const
  const one = keySpaceModel.apply(keySpaceModel.apply({}, put('a')).state, put('b')).state
  const other = keySpaceModel.apply(keySpaceModel.apply({}, put('b')).state, put('a')).state
  expect(keySpaceModel.identity(one)).toBe(keySpaceModel.identity(other))
})
