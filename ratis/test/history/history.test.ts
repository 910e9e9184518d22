import { describe, expect, test } from 'vitest'
import { History } from '../../src/testing/history/history.ts'
import { readHistory, writeHistory } from '../../src/testing/history/history-file.ts'
import { registerModel } from '../../src/testing/history/register-model.ts'
import { registerInput } from './inputs.ts'
import { RightServer, runWorkload } from './workload.ts'

const ask = (client: string) => ({ client, key: 'k', input: 'question' })

describe('a history', () => {
  test('orders calls and answers as they came', () => {
    const history = new History<string, string>()
    const [a, b] = [history.call(ask('a')), history.call(ask('b'))]
    history.answered(b, 'yes')
    history.answered(a, 'no', { kind: 'at', index: 7 })
    history.call(ask('b'))
    expect(history.operations).toEqual([
      { ...ask('a'), call: 0, outcome: { kind: 'answered', at: 3, output: 'no' }, place: { kind: 'at', index: 7 } },
      { ...ask('b'), call: 1, outcome: { kind: 'answered', at: 2, output: 'yes' } },
      { ...ask('b'), call: 4, outcome: { kind: 'open' } },
    ])
  })

  test('retires a client whose operation was lost', () => {
    const history = new History<string, string>()
    history.call(ask('a'))
    expect(() => history.call(ask('a'))).toThrow('client a has an operation that is still open, or lost')
    expect(history.operations).toHaveLength(1)
  })

  test('forgets what is known never to have happened, and its client goes on', () => {
    const history = new History<string, string>()
    const call = history.call(ask('a'))
    history.withdrawn(call)
    expect(history.operations).toEqual([])
    history.call(ask('a'))
    expect(history.operations).toHaveLength(1)
    expect(() => history.answered(call, 'yes')).toThrow('come to its end')
  })

  test('takes one answer', () => {
    const history = new History<string, string>()
    const call = history.call(ask('a'))
    history.answered(call, 'yes')
    expect(() => history.answered(call, 'no')).toThrow('come to its end')
  })

  test('is bounded', () => {
    const history = new History<string, string>({ mostOperations: 2 })
    history.call(ask('a'))
    expect(history.isFull).toBe(false)
    history.call(ask('b'))
    expect(history.isFull).toBe(true)
    expect(() => history.call(ask('c'))).toThrow('full with 2 operations')
  })
})

describe('a file of a history', () => {
  test('has one operation a line', () => {
    const history = new History<string, string>()
    history.answered(history.call(ask('a')), 'yes', { kind: 'after', index: 3 })
    history.call(ask('b'))
    expect(writeHistory(history)).toBe(
      [
        '{"history":"o3","version":1}',
        '{"client":"a","key":"k","input":"question","call":0,"outcome":{"kind":"answered","at":1,"output":"yes"},"place":{"kind":"after","index":3}}',
        '{"client":"b","key":"k","input":"question","call":2,"outcome":{"kind":"open"}}',
        '',
      ].join('\n'),
    )
  })

  test('is read as it was written', () => {
    const workload = { seed: 1, clients: 5, operations: 200, losses: 5, keys: 3, input: registerInput }
    const history = runWorkload(new RightServer(registerModel), workload)
    expect(readHistory(writeHistory(history)).operations).toEqual(history.operations)
  })

  test.each([
    ['', 'the first line'],
    ['{"history":"o3","version":2}\n', 'the first line'],
    ['{"history":"o3","version":1}\n7\n', 'line 2'],
    ['{"history":"o3","version":1}\n\n{"client":"a","key":"k","input":1,"call":0}\n', 'line 3'],
    ['{"history":"o3","version":1}\n{"client":"a","key":"k","call":0,"outcome":{"kind":"open"}}', 'line 2'],
    [
      '{"history":"o3","version":1}\n{"client":"a","key":"k","input":1,"call":0,"outcome":{"kind":"answered","output":1}}',
      'line 2',
    ],
    [
      '{"history":"o3","version":1}\n{"client":"a","key":"k","input":1,"call":0,"outcome":{"kind":"open"},"place":{"kind":"at"}}',
      'line 2',
    ],
  ])('that is not one is refused: %j', (text, where) => {
    expect(() => readHistory(text)).toThrow(where)
  })
})
