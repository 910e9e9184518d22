/** The pure decisions of the block client: whom to ask first, when to ask a second one, what failures mean. */

import { StoreError } from '@o3/common/errors'
import type { StoreErrorCode } from '@o3/common/errors'
import { describe, expect, test } from 'vitest'
import { HedgePolicy } from '../../src/core/hedge-policy.ts'
import { meaningOfReadFailure, mostTelling } from '../../src/core/replica-failures.ts'
import { answered, failed, isAvoided, orderReplicas, outrun, unknownStanding } from '../../src/core/replica-order.ts'
import type { ReplicaDistance, ReplicaStanding } from '../../src/core/replica-order.ts'

const nowMs = 100_000
const takes = (latencyMs: number): ReplicaStanding => answered(unknownStanding, latencyMs, nowMs)
const failing = (times: number): ReplicaStanding => {
  let standing = unknownStanding
  for (let i = 0; i < times; i++) standing = failed(standing, nowMs)
  return standing
}

describe('the order of replicas', () => {
  const far = { distance: 2, standing: unknownStanding } as const
  const named = (name: string, distance: ReplicaDistance, standing: ReplicaStanding) => ({ name, distance, standing })
  const order = (candidates: readonly ReturnType<typeof named>[], turn = 0): string =>
    orderReplicas(candidates, { nowMs, turn })
      .map(({ name }) => name)
      .join('')

  test.each([
    ['as SCM has it when nothing is known', [named('a', 2, far.standing), named('b', 2, far.standing)], 'ab'],
    ['near before far', [named('a', 2, takes(1)), named('b', 1, takes(500)), named('c', 0, takes(900))], 'cba'],
    ['fast before slow', [named('a', 2, takes(40)), named('b', 2, takes(5)), named('c', 2, takes(15))], 'bca'],
    ['alike within a factor of two', [named('a', 2, takes(7.9)), named('b', 2, takes(4.1))], 'ab'],
    ['unknown before slow', [named('a', 2, takes(40)), named('b', 2, unknownStanding)], 'ba'],
    ['failing last, however near', [named('a', 0, failing(1)), named('b', 2, takes(900))], 'ba'],
    ['failing longer after failing', [named('a', 2, failing(3)), named('b', 2, failing(1))], 'ba'],
  ] as const)('%s', (_, candidates, expected) => {
    expect(order(candidates)).toBe(expected)
  })

  test('equals take turns', () => {
    const equals = ['a', 'b', 'c'].map((name) => named(name, 2, unknownStanding))
    expect([0, 1, 2, 3, 2 ** 32 - 1].map((turn) => order(equals, turn))).toEqual(['abc', 'bca', 'cab', 'abc', 'abc'])
    expect(order([])).toBe('')
  })
})

describe('the standing of a replica', () => {
  test('is smoothed', () => {
    let standing = takes(10)
    standing = answered(standing, 110, nowMs)
    expect(standing.latencyMs).toBe(30)
    for (let i = 0; i < 20; i++) standing = answered(standing, 10, nowMs)
    expect(standing.latencyMs).toBeLessThan(11)
    expect(outrun(takes(10), 60, nowMs).latencyMs).toBe(20)
  })

  test('is forgotten when it is old', () => {
    expect(answered(takes(1_000), 2, nowMs + 29_000).latencyMs).toBeGreaterThan(500)
    expect(answered(takes(1_000), 2, nowMs + 31_000).latencyMs).toBe(2)
  })

  test('is pushed back twice as long with each failure, up to half a minute, and not after a success', () => {
    const times = Array.from({ length: 8 }, (_, i) => failing(i + 1).avoidUntilMs - nowMs)
    expect(times).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
    expect(isAvoided(failing(1), nowMs + 999)).toBe(true)
    expect(isAvoided(failing(1), nowMs + 1_000)).toBe(false)
    expect(isAvoided(answered(failing(5), 1, nowMs), nowMs)).toBe(false)
    expect(failed(answered(failing(5), 1, nowMs), nowMs).avoidUntilMs).toBe(nowMs + 1_000)
  })
})

describe('hedges', () => {
  const limits = { floorMs: 20, capMs: 1_000, share: 0.05, burst: 10 }

  test.each([
    ['few readings say nothing', 5, 10, 100],
    ['never before 20 ms', 500, 1, 20],
    ['after the 95th percentile', 500, 60, 60],
    ['never later than a second', 500, 4_000, 1_000],
  ])('%s', (_, count, ms, expected) => {
    const policy = new HedgePolicy(limits)
    for (let i = 0; i < count; i++) policy.measured(i % 100 < 90 ? ms / 2 : ms)
    expect(policy.afterMs).toBe(expected)
  })

  test('follow what readers meet lately', () => {
    const policy = new HedgePolicy(limits)
    for (let i = 0; i < 500; i++) policy.measured(500)
    for (let i = 0; i < 300; i++) policy.measured(30)
    expect(policy.afterMs).toBe(30)
  })

  test('are a share of the reads', () => {
    const policy = new HedgePolicy(limits)
    let made = 0
    for (let i = 0; i < 1_000; i++) {
      policy.began()
      if (policy.take()) made++
    }
    expect(made).toBeGreaterThanOrEqual(58)
    expect(made).toBeLessThanOrEqual(60)
  })
})

const error = (code: StoreErrorCode): StoreError => new StoreError(code, code)

test.each([
  ['InvalidRange', 'answer'],
  ['InvalidArgument', 'datanode'],
  ['AccessDenied', 'answer'],
  ['BlockNotFound', 'block'],
  ['Damaged', 'block'],
  ['Incompatible', 'block'],
  ['ContainerNotFound', 'block'],
  ['Unavailable', 'datanode'],
  ['DeadlineExceeded', 'datanode'],
  ['IncompleteBody', 'datanode'],
  ['Aborted', 'datanode'],
  ['VolumeFailed', 'datanode'],
  ['Internal', 'datanode'],
] as const)('a replica that says %s: it is of the %s', (code, meaning) => {
  expect(meaningOfReadFailure(error(code))).toBe(meaning)
})

test.each([
  [[], 'Unavailable', undefined],
  [['BlockNotFound', 'BlockNotFound'], 'BlockNotFound', undefined],
  [['Damaged', 'Damaged', 'Damaged'], 'Damaged', undefined],
  [['Damaged', 'ContainerNotFound'], 'Damaged', undefined],
  [['BlockNotFound', 'ContainerNotFound'], 'BlockNotFound', undefined],
  [['Damaged', 'BlockNotFound'], 'Unavailable', 'Damaged'],
  [['BlockNotFound', 'Unavailable'], 'Unavailable', 'Unavailable'],
  [['Unavailable', 'Damaged', 'BlockNotFound'], 'Unavailable', 'Damaged'],
  [['ContainerNotFound', 'ContainerNotFound'], 'ContainerNotFound', undefined],
] as const)('replicas that say %j: %s', (codes, told, cause) => {
  const telling = mostTelling(codes.map(error))
  expect(telling.code).toBe(told)
  expect((telling.cause as StoreError | undefined)?.code).toBe(cause)
})
