/** Containers of `RATIS/THREE` and `EC/*`: replicas at a, b and c, through the pipeline p. */

import { describe, expect, test } from 'vitest'
import { planUnknown } from '../../src/core/life/container-life.ts'
import { canBeSettled, mayDeleteBlocks, waitingFor } from '../../src/core/life/deletions.ts'
import { anyRow, modelCluster } from '../fixtures/model-cluster.ts'
import { planned, reportOf, sceneOf } from '../fixtures/scene.ts'
import type { Scene } from '../fixtures/scene.ts'

type Rows = readonly (readonly [places: string, scene: Scene, plan: string])[]

describe('OPEN', () => {
  const rows: Rows = [
    ['open | open | open', {}, ''],
    ['- | - | -', {}, ''],
    // Sealed somewhere, by itself: nothing more goes in.
    ['open | alone | open', {}, 'CLOSING'],
    ['open | damaged | open', {}, 'CLOSING'],
    ['open | open dead | open', {}, ''],
    // Its pipeline takes no more blocks.
    ['open | open | open', { pipeline: { state: 'CLOSED' } }, 'CLOSING'],
    ['open | open | open', { pipeline: 'gone' }, 'CLOSING'],
    // Deletions wait for it to be closed.
    ['open | open | open', { facts: { pendingDeletions: 2, deletingSinceMs: 950_000 } }, ''],
    ['open | open | open', { facts: { pendingDeletions: 3, deletingSinceMs: 950_000 } }, 'CLOSING'],
    ['open | open | open', { facts: { pendingDeletions: 1, deletingSinceMs: 940_000 } }, 'CLOSING'],
  ]
  test.each(rows)('%s, %j: %s', (places, scene, plan) => expect(planned(sceneOf('OPEN', places, scene))).toBe(plan))
})

describe('CLOSING', () => {
  const lost = { pipeline: { minoritySinceMs: 995_000 } }
  const lostJustNow = { pipeline: { minoritySinceMs: 995_001 } }
  const rows: Rows = [
    ['open | open | open', {}, 'a close agreed, b close agreed, c close agreed'],
    ['closed | open | open', {}, 'b close agreed, c close agreed'],
    // Nobody wrote to it: something must be there to be closed.
    ['open | open | -', {}, 'a close agreed, b close agreed, c create'],
    // The log has closed it. What c lacks comes from the log, or as a copy; one that is made now nobody would close.
    ['closed | closed | -', {}, 'CLOSED'],
    ['closed | open | -', {}, 'b close agreed'],
    ['closed | closed | closed', {}, 'CLOSED'],
    // The dead are not waited for; who is silent for a moment is.
    ['closed | closed | open dead', {}, 'CLOSED'],
    ['closed | closed | open silent', {}, 'c close agreed'],
    ['closed | closed | unheard', {}, ''],
    // Its disk is gone, with the container and the log.
    ['closed | closed | left', {}, 'CLOSED'],
    ['closed:1 | closed:2 | closed:1', {}, 'a takes from bc, b takes from ac, c takes from ab'],
    // Deletions wait for it to be closed; so it must not wait for them.
    [
      'closed:1 | closed:2 | closed:1',
      { facts: { pendingDeletions: 1 } },
      'a takes from bc, b takes from ac, c takes from ab',
    ],
    // One log has failed: that member seals what it has, the others agree.
    ['open | open | open failed', {}, 'a close agreed, b close agreed, c close alone'],
    ['open | open | open left', {}, 'a close agreed, b close agreed, c close alone'],
    // Two are lost: not for a moment, so the last one seals alone.
    ['open | open dead | open dead', lostJustNow, 'a close agreed'],
    ['open | open dead | open dead', lost, 'a close alone'],
    ['alone | open dead | open dead', lost, 'QUASI_CLOSED'],
    ['alone | alone | open dead', lost, 'QUASI_CLOSED'],
    ['alone | damaged | alone', lost, 'QUASI_CLOSED'],
    ['damaged | damaged | damaged', {}, 'QUASI_CLOSED'],
    // It sealed alone, then another came back and they agree again: it leads, and has nothing to propose.
    ['alone leads | open | open dead', {}, 'b close alone'],
    ['alone | open leads | open dead', {}, 'b close agreed'],
    // One of them got the close from the log before it was lost, and has everything.
    ['closed | alone:2 | open dead', lost, 'CLOSED'],
    ['closed | damaged | closed', {}, 'CLOSED'],
    // A damaged one that is still open is closed like any other: it may be the one that leads.
    ['rotting leads | open | open', {}, 'a close agreed, b close agreed, c close agreed'],
    ['rotting | closed | closed', {}, 'a close agreed'],
    ['rotting | rotting | rotting', {}, 'a close agreed, b close agreed, c close agreed'],
    ['dead | dead | dead', lost, ''],
    ['open | open | open', { pipeline: 'gone' }, 'a close alone, b close alone, c close alone'],
  ]
  test.each(rows)('%s, %j: %s', (places, scene, plan) => expect(planned(sceneOf('CLOSING', places, scene))).toBe(plan))
})

describe('QUASI_CLOSED', () => {
  const rows: Rows = [
    ['origin | dead | dead', {}, ''],
    // Two of the three origins: together they have all that was acknowledged.
    ['origin:1 | origin:2 | dead', {}, 'a takes from b, b takes from a'],
    ['origin:1 | origin:2 | origin:3', {}, 'a takes from bc, b takes from ac, c takes from ab'],
    ['closed | origin:2 | dead', {}, 'b takes from a'],
    ['closed | closed | dead', {}, 'CLOSED'],
    ['closed:1 | closed:2 | dead', {}, 'a takes from b, b takes from a'],
    ['closed | closed | origin:2', {}, 'CLOSED'],
    // All origins have been heard of, and this is all that they have: there is nothing to wait for.
    ['origin | - | -', { row: { datanodes: ['a'] } }, 'a salvages from '],
    ['alone | - | -', { row: { datanodes: ['a'] } }, 'a salvages from '],
    ['closed | - | -', { row: { datanodes: ['a'] } }, 'CLOSED'],
    ['- | - | - | alone', { row: { datanodes: ['d'] } }, 'd salvages from '],
    ['origin:1 | - | - | alone:2', { row: { datanodes: ['a', 'd'] } }, 'a salvages from d, d salvages from a'],
    ['closed | - | - | alone:2', { row: { datanodes: ['a', 'd'] } }, 'd takes from a'],
    ['origin | left | unheard', { row: { datanodes: ['a'] } }, ''],
    ['origin | left | dead', { row: { datanodes: ['a'] } }, ''],
    // It has nothing of it, and its log, which may say that it never had. It makes an empty one, seals it, and counts.
    ['origin | - | unheard', { row: { datanodes: ['a'] } }, 'b create'],
    ['origin | - | dead', { row: { datanodes: ['a'] } }, 'b create'],
    ['origin | open | dead', { row: { datanodes: ['a'] } }, 'b close alone'],
    ['origin | origin:empty | dead', { row: { datanodes: ['a'] } }, 'replicas ab'],
    ['origin | alone:empty | dead', {}, ''],
    ['closed | - | dead', { row: { datanodes: ['a'] } }, ''],
    // Of a release that forgot the pipeline.
    ['origin | - | dead', { row: { datanodes: ['a'], pipeline: undefined } }, ''],
    ['origin | - | dead givenup', { row: { datanodes: ['a'] } }, 'a salvages from '],
    // An origin comes back, and has not heard that it is over.
    ['origin | open | dead', {}, 'b close alone'],
    // A copy of the only origin that is left makes no second origin.
    ['origin | dead | dead | alone', { row: { datanodes: ['a', 'b', 'c', 'd'] } }, ''],
    ['origin | dead | dead | alone', { row: { incoming: ['d'] } }, 'replicas abcd'],
    // Nor does a copy at an origin that has lost what it had, or what it has begun anew: b may have what a lacks.
    ['origin | origin dead | alone', {}, ''],
    ['origin | origin dead | alone:2', {}, ''],
    ['alone:1 | origin dead | alone:2', {}, ''],
    // Nor one that does not verify: nobody knows what it has.
    ['origin | origin dead | damaged', {}, ''],
    // One that has all by itself does.
    ['origin | origin dead | closed', {}, 'a takes from c'],
    ['closed | origin dead | closed', {}, 'CLOSED'],
    // Whoever is no origin waits until two of them have taken from one another: what takes from others only may lack what none has.
    ['origin | origin:2 | alone', {}, 'a takes from b, b takes from a'],
    ['origin | closed:2 | alone', {}, 'a takes from b, c takes from b'],
    ['origin | alone:2 | alone', {}, 'a salvages from bc, b salvages from ac, c salvages from ab'],
    // One that was given up comes back.
    ['origin | origin:2', { row: { datanodes: ['a'] } }, 'replicas ab'],
  ]
  test.each(rows)('%s, %j: %s', (places, scene, plan) => {
    expect(planned(sceneOf('QUASI_CLOSED', places, scene))).toBe(plan)
  })
})

describe('CLOSED', () => {
  const pending = { facts: { pendingDeletions: 1 } }
  const two = { row: { datanodes: ['a', 'b'] } }
  const encoded = { row: { ec: { policy: 'rs-3-2-1024k', shards: [2, 3, 4, 5, 6] } } } as const
  const rows: Rows = [
    ['closed | closed | closed', {}, ''],
    ['closed:1 | closed:2 | closed:1', {}, 'a takes from bc, b takes from ac, c takes from ab'],
    // Deletions are under way, which make them differ.
    ['closed:1 | closed:2 | closed:1', pending, ''],
    // One that was sealed alone takes from those that were not, deletions or not.
    ['closed | alone:2 | closed', {}, 'b takes from ac'],
    ['closed | alone:2 | closed', pending, 'b takes from ac'],
    ['closed | alone:2 silent | closed', {}, ''],
    // What was sealed alone is no source for another while those that were not are silent.
    ['closed silent | alone:2 | alone:3', {}, ''],
    // Empty for ever.
    ['closed:empty | closed:empty | closed:empty', {}, 'DELETING'],
    ['closed:empty | closed:empty | closed', {}, 'a takes from bc, b takes from ac, c takes from ab'],
    ['closed:empty | closed:empty | closed:empty', pending, ''],
    ['closed:empty | closed:empty | unheard', {}, ''],
    ['closed:empty | closed:empty | closed:empty | -', { row: { incoming: ['d'] } }, ''],
    // A copy counts from its first report on; one that cannot come is not waited for.
    ['closed | closed | closed | closed', { row: { incoming: ['d'] } }, 'replicas abcd'],
    ['closed | closed | closed | -', { row: { incoming: ['d'] } }, ''],
    ['closed | closed | closed | dead', { row: { incoming: ['d'] } }, 'replicas abc'],
    ['closed | closed | - | - | closed', { row: { incoming: ['d', 'e'] } }, 'replicas abe and on its way to d'],
    // What its datanode does not have any more is given up, but for the last.
    ['closed | closed | -', {}, 'replicas ab'],
    ['closed | closed | unheard', {}, ''],
    ['- | - | -', {}, ''],
    ['closed dead | - | -', {}, 'replicas a'],
    // One that nobody counts on: taken in where it is wanted and has the same blocks.
    ['closed | closed | closed | closed', {}, 'd delete'],
    ['closed | closed | closed | open', {}, 'd delete'],
    ['closed | closed | closed', two, 'replicas abc'],
    ['closed | closed | closed:2', two, 'c delete'],
    ['closed | closed | alone', two, 'c delete'],
    ['closed | closed | damaged', two, 'c delete'],
    ['closed | closed | closed', { ...two, ...pending }, 'c delete'],
    ['closed dead | closed dead | closed:2', two, 'replicas abc'],
    ['closed silent | closed dead | closed:2', two, ''],
    // Its blocks are in its shards.
    ['closed | closed | closed', encoded, 'a delete, b delete, c delete'],
    ['closed | - | closed', encoded, 'replicas ac'],
    ['closed | closed dead | closed', encoded, 'replicas ac'],
    ['- | - | - | closed', { row: { ...encoded.row, datanodes: [] } }, 'd delete'],
    ['- | - | -', { row: { ...encoded.row, datanodes: [] } }, ''],
  ]
  test.each(rows)('%s, %j: %s', (places, scene, plan) => expect(planned(sceneOf('CLOSED', places, scene))).toBe(plan))
})

describe('DELETING', () => {
  const encoded = { ec: { policy: 'rs-3-2-1024k', shards: [2, 3, 4, 5, 6] } } as const
  const rows: Rows = [
    ['closed | closed | closed', {}, 'a delete, b delete, c delete'],
    ['- | closed silent | closed', {}, 'c delete'],
    ['- | closed | closed | closed', {}, 'b delete, c delete, d delete'],
    ['- | - | unheard', {}, ''],
    ['- | - | -', {}, 'DELETED'],
    ['- | - | closed dead', {}, 'DELETED'],
    // Records of its deleted blocks go first.
    ['- | - | -', { row: { ...encoded, deletedBlocks: 2 } }, ''],
    ['- | - | -', { row: { ec: { ...encoded.ec, leaveOut: { upTo: 9, blocks: 2 } } } }, ''],
    ['- | - | -', { row: encoded }, 'DELETED'],
  ]
  test.each(rows)('%s, %j: %s', (places, scene, plan) => expect(planned(sceneOf('DELETING', places, scene))).toBe(plan))
})

describe('a shard', () => {
  const shard = {
    row: { shardOf: { container: 9, index: 0 }, datanodes: ['a'], origins: ['a'], pipeline: undefined },
  } as const
  test.each([
    ['OPEN', 'open', ''],
    ['OPEN', 'closed', 'CLOSING'],
    // Whoever encodes closes it.
    ['CLOSING', 'open', ''],
    ['CLOSING', '-', ''],
    ['CLOSING', 'closed', 'CLOSED'],
    ['CLOSED', 'closed:empty', ''],
    ['CLOSED', 'closed | closed', 'b delete'],
    ['CLOSED', 'closed dead | closed', 'replicas ab'],
    ['DELETING', 'closed', 'a delete'],
  ] as const)('%s, %s: %s', (state, places, plan) => expect(planned(sceneOf(state, places, shard))).toBe(plan))
})

describe('a container without a row', () => {
  const at = (id: number) =>
    modelCluster({
      nodes: { a: {}, b: {}, c: { health: 'STALE' } },
      lastContainer: 7,
      containers: { [id]: { row: { state: 'DELETED' }, reports: { a: reportOf('closed')!, c: reportOf('closed')! } } },
    })
  test('whose id was given out goes, from whoever answers', () => {
    expect(planUnknown(7, at(7))).toEqual([
      { datanode: 'a', command: { kind: 'delete-container', container: 7 } },
      { datanode: 'a', command: { kind: 'full-report' } },
    ])
  })
  test('whose id was never given out is left alone', () => expect(planUnknown(8, at(8))).toEqual([]))
})

describe('deletions of blocks', () => {
  test.each([
    ['OPEN', 'open | open | open', {}, false],
    ['CLOSING', 'closed | closed | closed', {}, false],
    ['QUASI_CLOSED', 'closed | closed | closed', {}, false],
    ['CLOSED', 'closed | closed | closed', {}, true],
    ['CLOSED', 'closed | closed | damaged', {}, true],
    ['CLOSED', 'closed | closed | dead', {}, true],
    ['CLOSED', 'closed | closed | alone', {}, false],
    ['CLOSED', 'closed | closed | closed', { incoming: ['d'] }, false],
    ['CLOSED', 'closed | closed | closed', { encoding: { policy: 'rs-3-2-1024k', shards: [] } }, false],
    ['CLOSED', 'closed | closed | closed', { ec: { policy: 'rs-3-2-1024k', shards: [] } }, false],
    ['DELETING', 'closed | closed | closed', {}, false],
    // One replica has nobody to agree with.
    ['OPEN', 'open', { replication: 'RATIS/ONE', datanodes: ['a'], pipeline: undefined }, true],
    ['OPEN', 'open', { replication: 'RATIS/ONE', datanodes: ['a'], pipeline: undefined, incoming: ['b'] }, false],
  ] as const)('%s, %s, %j: %s', (state, places, row, may) => {
    expect(mayDeleteBlocks(sceneOf(state, places, { row }).container(1)!)).toBe(may)
  })

  const row = { ...anyRow, datanodes: ['a', 'b'], copies: 2 }
  test.each([
    [row, { done: [], copies: 0 }, 'ab', false],
    [row, { done: ['a'], copies: 2 }, 'b', false],
    [row, { done: ['b', 'a'], copies: 2 }, '', true],
    // A copy was begun since: it may have taken the blocks along.
    [row, { done: ['a', 'b'], copies: 1 }, 'ab', false],
    [{ ...row, incoming: ['c'] }, { done: ['a', 'b'], copies: 2 }, '', false],
    // The one that was waited for is not counted on any more.
    [{ ...row, datanodes: ['a'] }, { done: ['a'], copies: 2 }, '', true],
    [{ ...row, datanodes: [] }, { done: [], copies: 2 }, '', false],
    [{ ...row, ec: { policy: 'rs-3-2-1024k', shards: [] } }, { done: [], copies: 2 }, 'ab', true],
  ] as const)('%j with %j waits for %s', (held, deletion, waits, isSettled) => {
    expect(waitingFor(held, deletion).join('')).toBe(waits)
    expect(canBeSettled(held, deletion)).toBe(isSettled)
  })
  test('of a container that is gone are done', () =>
    expect(canBeSettled(undefined, { done: [], copies: 0 })).toBe(true))
})
