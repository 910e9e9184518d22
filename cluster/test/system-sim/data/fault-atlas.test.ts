import { describe, expect, test } from 'vitest'
import { mayLoseHolding, mayWipe, type Holding } from './fault-atlas.ts'

const replicated = (whole: readonly string[], partial: readonly string[] = []): Holding => {
  return { container: 1, whole, partial, origins: 3, dataShards: 3 }
}
const encoded = (...at: readonly (readonly string[])[]): Holding => ({ ...replicated(['z']), shards: at })

describe('what a machine may lose', () => {
  test.each([
    ['one of three whole replicas', replicated(['a', 'b', 'c']), 'a', true],
    ['one of two', replicated(['a', 'b']), 'a', true],
    ['not the last', replicated(['a']), 'a', false],
    ['not the last, though others have some of it', replicated(['a'], ['b']), 'a', false],
    ['the last whole one, while a majority of the origins has its part', replicated(['a'], ['b', 'c']), 'a', true],
    ['one part of three', replicated([], ['a', 'b', 'c']), 'a', true],
    ['not a part of two: a block may be on this one and the third', replicated([], ['a', 'b']), 'a', false],
    ['a part beside a whole replica', replicated(['b'], ['a']), 'a', true],
    ['what it does not have', replicated(['b']), 'a', true],
    ['two shards of five, one after the other', encoded(['a'], [], ['c'], ['d'], ['e']), 'a', true],
    ['not a third shard', encoded(['a'], [], [], ['d'], ['e']), 'a', false],
    ['a shard that is elsewhere too', encoded(['a', 'b'], [], [], ['d'], ['e']), 'a', true],
    ['not two shards at once, where only one may go', encoded(['a'], ['a'], [], ['d'], ['e']), 'a', false],
  ])('%s', (_, holding, machine, expected) => {
    expect(mayLoseHolding(holding, machine)).toBe(expected)
  })

  test('a disk goes only if every container can do without it', () => {
    expect(mayWipe([replicated(['a', 'b']), replicated(['b', 'c'])], 'a')).toBe(true)
    expect(mayWipe([replicated(['a', 'b']), replicated(['a'])], 'a')).toBe(false)
  })
})
