import { describe, expect, test } from 'vitest'
import { ContainerLedger } from '../../src/core/container-ledger.ts'
import type { LedgerChange, LedgerRecord } from '../../src/core/container-ledger.ts'
import { recordBytes } from '../../src/core/record-layout.ts'

/** Applies records one behind the other; a number leaves a gap of so many bytes. */
function run(ledger: ContainerLedger, records: readonly (Partial<LedgerRecord> | number)[], from = 0): LedgerChange[] {
  const changes: LedgerChange[] = []
  let at = from
  for (const record of records) {
    if (typeof record === 'number') {
      at += record
      continue
    }
    const complete = {
      kind: 'data',
      local: 1,
      length: 0,
      blockOffset: 0,
      whole: false,
      ...record,
      fileOffset: at,
    } as const
    at += recordBytes(complete.length)
    const change = ledger.apply(complete, at)
    if (change !== undefined) changes.push(change)
  }
  return changes
}

const tombstone = (first: number, freedBytes: number): Partial<LedgerRecord> => ({
  kind: 'tombstone',
  local: 0,
  length: 10,
  tombstone: { runs: [{ first, count: 1 }], blocks: 1, freedBytes },
})

describe('a block exists', () => {
  test('when it is a whole record', () => {
    const ledger = new ContainerLedger()
    expect(run(ledger, [{ whole: true, length: 100 }])).toEqual([
      { kind: 'put', local: 1, row: { lengthBytes: 100, whole: true, extents: [{ fileOffset: 0, length: 100 }] } },
    ])
    expect(ledger.sums()).toMatchObject({ end: 192, liveBytes: 192, blockCount: 1 })
  })

  test('when its commit follows all of its data, with others between', () => {
    const ledger = new ContainerLedger()
    const changes = run(ledger, [
      { local: 1, length: 8 },
      { local: 2, length: 8 },
      { local: 1, length: 8, blockOffset: 8 },
      { kind: 'commit', local: 1, blockOffset: 16 },
    ])
    const extents = [
      { fileOffset: 0, length: 8 },
      { fileOffset: 256, length: 8 },
    ]
    expect(changes).toEqual([{ kind: 'put', local: 1, row: { lengthBytes: 16, whole: false, extents } }])
    expect(ledger.scanFrom()).toBe(128) // block 2 is still under way
    expect(ledger.dropUnfinished()).toEqual([2])
    expect(ledger.scanFrom()).toBe(448)
  })

  test('also when it is empty', () => {
    expect(run(new ContainerLedger(), [{ kind: 'commit', local: 9, blockOffset: 0 }])).toEqual([
      { kind: 'put', local: 9, row: { lengthBytes: 0, whole: false, extents: [] } },
    ])
  })

  test('until a tombstone names it', () => {
    const ledger = new ContainerLedger()
    const changes = run(ledger, [{ whole: true, length: 100 }, tombstone(1, 192)])
    expect(changes.at(-1)).toEqual({ kind: 'delete', runs: [{ first: 1, count: 1 }] })
    expect(ledger.sums()).toMatchObject({ end: 320, liveBytes: 0, blockCount: 0 })
  })
})

describe('a block does not exist', () => {
  test('without its commit', () => {
    expect(run(new ContainerLedger(), [{ length: 8 }, { length: 8, blockOffset: 8 }])).toEqual([])
  })

  test('when a part was torn off before its commit', () => {
    const changes = run(new ContainerLedger(), [{ length: 8 }, 128, { kind: 'commit', blockOffset: 16 }])
    expect(changes).toEqual([])
  })

  test('when its writer gave up', () => {
    const ledger = new ContainerLedger()
    run(ledger, [{ length: 8 }])
    ledger.forget(1)
    expect(ledger.scanFrom()).toBe(128)
    expect(ledger.sums()).toMatchObject({ end: 128, liveBytes: 0 })
  })
})

test('a part that is lost to damage is named in the row', () => {
  const ledger = new ContainerLedger()
  run(ledger, [{ length: 8 }])
  ledger.applyDamage({ from: 128, to: 256 })
  const [change] = run(ledger, [{ kind: 'commit', blockOffset: 16 }], 256)
  expect(change).toMatchObject({
    row: {
      extents: [
        { fileOffset: 0, length: 8 },
        { fileOffset: undefined, length: 8 },
      ],
    },
  })
  expect(ledger.sums().damaged).toEqual([{ from: 128, to: 256 }])
})

test('records before the checkpoint complete blocks and are not counted again', () => {
  const before = new ContainerLedger()
  const records = [
    { local: 5, whole: true, length: 64 },
    { local: 1, length: 8 },
  ] as const
  run(before, records)
  const { sums, scanFrom } = { sums: before.sums(), scanFrom: before.scanFrom() }
  expect(scanFrom).toBe(128)
  const after = new ContainerLedger(sums)
  const changes = run(after, [records[1], { kind: 'commit', local: 1, blockOffset: 8 }], scanFrom)
  expect(changes).toHaveLength(1)
  expect(after.sums()).toMatchObject({ end: 320, blockCount: 2, liveBytes: 128 + 128 + 64 })
})

test('a list of damage stays bounded', () => {
  const ledger = new ContainerLedger()
  for (let i = 0; i < 500; i++) ledger.applyDamage({ from: i * 128, to: i * 128 + 64 })
  const { damaged } = ledger.sums()
  expect(damaged).toHaveLength(100)
  expect(damaged.at(-1)).toEqual({ from: 99 * 128, to: 499 * 128 + 64 })
})
