import { expect, test } from 'vitest'
import { checkByIndex } from '../../src/testing/history/by-index.ts'
import { History } from '../../src/testing/history/history.ts'
import { listModel, type ListInput, type ListOutput } from '../../src/testing/history/list-model.ts'
import type { Place } from '../../src/testing/history/operation.ts'

const at = (index: number): Place => ({ kind: 'at', index })
const after = (index: number): Place => ({ kind: 'after', index })

/** Clients of a list, or of several; each call has a client of its own. */
class Lists {
  readonly history = new History<ListInput, ListOutput>()
  private clients = 0

  append(value: number, key = 'k') {
    return this.call(key, { kind: 'append', value })
  }

  read(key = 'k') {
    return this.call(key, { kind: 'read' })
  }

  appended(value: number, place: Place, key = 'k'): void {
    this.history.answered(this.append(value, key), 'ok', place)
  }

  saw(output: readonly number[], place: Place, key = 'k'): void {
    this.history.answered(this.read(key), output, place)
  }

  private call(key: string, input: ListInput) {
    return this.history.call({ client: `c${this.clients++}`, key, input })
  }
}

function verdict(script: (lists: Lists) => void) {
  const lists = new Lists()
  script(lists)
  return checkByIndex(listModel, lists.history)
}

test('the order of the log explains answers that came in another order', () => {
  const said = verdict((lists) => {
    const [one, other] = [lists.append(1), lists.append(2)]
    lists.history.answered(one, 'ok', at(2))
    lists.history.answered(other, 'ok', at(1))
    lists.saw([2, 1], after(2))
  })
  expect(said).toEqual({ kind: 'ok', steps: 3 })
})

test('indexes may have holes and begin anywhere', () => {
  const said = verdict((lists) => {
    lists.appended(1, at(1_000_000))
    lists.saw([1], after(1_000_500))
  })
  expect(said).toMatchObject({ kind: 'ok' })
})

test('operations of one entry may stand in any order', () => {
  const said = verdict((lists) => {
    const calls = [1, 2, 3, 4].map((value) => lists.append(value))
    for (const call of calls) lists.history.answered(call, 'ok', at(5))
    lists.saw([3, 1, 4, 2], after(5))
  })
  expect(said).toMatchObject({ kind: 'ok' })
})

test('a lost operation happened where the answers say', () => {
  const said = verdict((lists) => {
    lists.appended(1, at(1))
    lists.append(2)
    lists.appended(3, at(3))
    lists.saw([1, 2, 3], after(3))
  })
  expect(said).toMatchObject({ kind: 'ok' })
})

test('a lost operation does not happen before it was asked for', () => {
  const said = verdict((lists) => {
    lists.appended(1, at(1))
    lists.append(2)
    lists.saw([2, 1], after(2))
  })
  expect(said).toMatchObject({ kind: 'violation', culprit: { input: { kind: 'read' } } })
})

test('a lost operation does not happen between what stands after one index', () => {
  const said = verdict((lists) => {
    lists.appended(1, at(1))
    const [one, other] = [lists.read(), lists.read()]
    lists.append(2)
    lists.history.answered(one, [1], after(4))
    lists.history.answered(other, [1, 2], after(4))
  })
  expect(said).toMatchObject({ kind: 'violation' })
})

test('a lost operation that an audit found happened there and nowhere else', () => {
  const script = (found: Place) => (lists: Lists) => {
    const lost = lists.append(2)
    lists.appended(1, at(1))
    lists.history.placed(lost, found)
    lists.saw([1, 2], after(2))
  }
  expect(verdict(script(at(2)))).toMatchObject({ kind: 'ok' })
  expect(verdict(script(at(0)))).toMatchObject({ kind: 'violation' })
  expect(verdict(script(at(3)))).toMatchObject({ kind: 'violation' })
})

test.each<[string, (lists: Lists) => void]>([
  [
    'a write stands before one that was answered before its call',
    (lists) => {
      lists.appended(1, at(2))
      lists.appended(2, at(1))
    },
  ],
  [
    'a write stands where one stands that was answered before its call',
    (lists) => {
      lists.appended(1, at(1))
      lists.appended(2, at(1))
    },
  ],
  [
    'a read does not see a write that was answered before its call',
    (lists) => {
      lists.appended(1, at(1))
      lists.saw([], after(0))
    },
  ],
  [
    'a read goes back behind another',
    (lists) => {
      const write = lists.append(1)
      lists.saw([1], after(1))
      lists.saw([], after(0))
      lists.history.answered(write, 'ok', at(1))
    },
  ],
  [
    'the same, of two keys in one log',
    (lists) => {
      lists.appended(1, at(7), 'one')
      lists.saw([], after(6), 'other')
    },
  ],
])('time contradicts the log: %s', (_, script) => {
  expect(verdict(script)).toMatchObject({ kind: 'out-of-order' })
})

test('a contradiction is reported with both operations and their places', () => {
  const said = verdict((lists) => {
    lists.appended(1, at(2))
    lists.saw([], after(1))
  })
  expect(said).toMatchObject({
    report: [
      'time contradicts the log:',
      '  c0 "k" append 1 → ok  (at 2)',
      'was answered before the call of',
      '  c1 "k" read → []  (after 1)',
    ].join('\n'),
  })
})

test.each<[string, (lists: Lists) => void]>([
  ['a read that does not fit its place', (lists) => lists.saw([1], after(3))],
  [
    'a read before the index of what it saw',
    (lists) => {
      const write = lists.append(1)
      lists.saw([1], after(4))
      lists.history.answered(write, 'ok', at(5))
    },
  ],
  ['a write that claims to have changed nothing', (lists) => lists.appended(1, after(3))],
])('the log does not explain %s', (_, script) => {
  expect(verdict(script)).toMatchObject({ kind: 'violation', key: 'k' })
})

test('an answer without a place is a bug of whoever records', () => {
  const script = (lists: Lists) => lists.history.answered(lists.append(1), 'ok')
  expect(() => verdict(script)).toThrow('has no place')
})

test('200,000 operations are one step each', () => {
  const history = new History<ListInput, ListOutput>({ mostOperations: 200_000 })
  for (let nth = 0; nth < 100_000; nth++) {
    const [writer, reader] = [
      history.call({ client: 'w', key: `k${nth % 10_000}`, input: { kind: 'append', value: nth } }),
      history.call({ client: 'r', key: 'elsewhere', input: { kind: 'read' } }),
    ]
    history.answered(writer, 'ok', at(nth + 1))
    history.answered(reader, [], after(nth))
  }
  expect(checkByIndex(listModel, history)).toEqual({ kind: 'ok', steps: 200_000 })
})
