import { expect, test } from 'vitest'
import { checkLinearizable } from '../../src/testing/history/linearizable.ts'
import { registerModel } from '../../src/testing/history/register-model.ts'
import { transcript } from './transcript.ts'

test.each([
  ['nothing at all', 'a read'],
  ['one after the other', 'a write 1; a = ok; b read; b = 1; b swap 1 2; b = ok; a read; a = 2; a delete; a = ok'],
  ['a refusal', 'a write 1; a = ok; b swap 2 3; b = refused; b read; b = 1'],
  ['a read beside a write sees the old value', 'a write 1; b read; b = none; a = ok'],
  ['a read beside a write sees the new value', 'a write 1; b read; b = 1; a = ok'],
  ['two writes at once, in the order that the read tells', 'a write 1; b write 2; b = ok; a = ok; c read; c = 2'],
  ['the same, the other way', 'a write 1; b write 2; b = ok; a = ok; c read; c = 1'],
  ['of two swaps at once one wins', 'a swap none 1; b swap none 2; a = refused; b = ok; c read; c = 2'],
  ['a lost write that happened', 'a write 1; b read; b = none; b read; b = 1'],
  ['a lost write that did not', 'a write 1; b read; b = none; c read; c = none; b read; b = none'],
  ['a lost write that happened late', 'a write 1; b write 2; b = ok; b read; b = 2; b read; b = 1'],
  ['a lost swap that only another lost one made possible', 'a swap 1 2; b swap none 1; c read; c = 2'],
  [
    'of two equal writes the one within the other first',
    'a write 1; b write 1; b = ok; c write 2; c = ok; c read; c = 1; a = ok',
  ],
  [
    'a lost write that could have explained an earlier answer, and is needed for a later one',
    'a write 2; b write 3; c write 2; a = ok; b = ok; d read; d = 2; d write 5; d = ok; d read; d = 2',
  ],
  ['a lost delete', 'a write 1; a = ok; b delete; a read; a = none'],
])('accepts %s', (_, text) => {
  const verdict = checkLinearizable(registerModel, transcript(text))
  expect(verdict).toMatchObject({ kind: 'ok' })
})

test.each([
  ['a stale read', 'a write 1; a = ok; b read; b = none'],
  ['a read of the future', 'b read; b = 1; a write 1; a = ok'],
  ['a value that nobody wrote', 'a write 1; a = ok; a read; a = 7'],
  ['reads that go back', 'a write 1; b read; b = 1; c read; c = none; a = ok'],
  [
    'reads that do not agree on an order',
    'a write 1; b write 2; c read; c = 1; c read; c = 2; c read; c = 1; a = ok; b = ok',
  ],
  ['a lost update', 'a write 1; a = ok; b swap 1 2; c swap 1 3; b = ok; c = ok'],
  ['two that both won the same swap', 'a swap none 1; b swap none 1; a = ok; b = ok'],
  ['a write that was acknowledged and is gone', 'a write 1; a = ok; b write 2; b = ok; c read; c = 1'],
  [
    'a retry that was applied twice',
    'a write 1; b write 2; b = ok; c read; c = 2; c read; c = 1; c read; c = 2; a = ok',
  ],
  ['a delete that came back', 'a write 1; a = ok; a delete; a = ok; b read; b = 1'],
  ['a refusal without a reason', 'a write 1; a = ok; b swap 1 2; b = refused'],
  ['a lost write that happened twice', 'a write 1; b write 2; b = ok; c read; c = 1; b write 2; b = ok; c read; c = 1'],
])('rejects %s', (_, text) => {
  const verdict = checkLinearizable(registerModel, transcript(text))
  expect(verdict).toMatchObject({ kind: 'violation', key: 'k' })
})
