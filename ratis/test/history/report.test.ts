import { expect, test } from 'vitest'
import { checkLinearizable } from '../../src/testing/history/linearizable.ts'
import { registerModel } from '../../src/testing/history/register-model.ts'
import { transcript } from './transcript.ts'

function violation(text: string) {
  const verdict = checkLinearizable(registerModel, transcript(text))
  if (verdict.kind !== 'violation') throw new Error(`a violation was expected, not ${verdict.kind}`)
  return verdict
}

test('a report draws the operations around the answer that cannot be', () => {
  const { report } = violation(
    'a write 1; b write 2; a = ok; c read; c = 2; b = ok; d read; c read; d = 1; c = 2; c write 9',
  )
  expect(report).toMatchInlineSnapshot(`
    "key "k": no order explains the answer of #4

      1 a write 1 → ok                            ├───┤
      2 b write 2 → ok                              ├───────┤
      3 c read → {"value":2}                            ├─┤
    > 4 d read → {"value":1}                                  ├───┤
      5 c read …                                                ├───▶

    without that answer: #1 #2 #3
    which leaves 2"
  `)
})

test('the prefix ends with the first answer that cannot be, and what ends later is open in it', () => {
  const { culprit, prefix } = violation(
    'a write 1; b write 2; b = ok; c read; c = none; a = ok; c read; c = none; c delete',
  )
  expect(culprit).toMatchObject({ client: 'c', input: { kind: 'read' }, call: 3 })
  expect(prefix.map(({ client, outcome }) => [client, outcome.kind])).toEqual([
    ['a', 'open'],
    ['b', 'answered'],
    ['c', 'answered'],
  ])
})

test('a report of a long history is 80 columns wide and shows its end only', () => {
  const clients = Array.from({ length: 30 }, (_, at) => `client-with-a-long-name-${at}`)
  const rounds = Array.from({ length: 20 }, () =>
    [...clients.map((client) => `${client} write 1`), ...clients.map((client) => `${client} = ok`)].join('\n'),
  )
  const { report } = violation([...rounds, 'z write 2', 'y read', 'y = 3'].join('\n'))
  expect(report.split('\n').filter((line) => line.length > 80)).toEqual([])
  expect(report.split('\n').length).toBeLessThan(25)
  expect(report).toContain('(586 earlier operations are not shown)')
})
