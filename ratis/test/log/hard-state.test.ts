import { expect, test } from 'vitest'
import { Simulation } from '@o3/common/env/sim'
import { isStoreError } from '@o3/common/errors'
import { HardStateFile, type HardState } from '../../src/log/hard-state.ts'
import { plantedEnv, Planting, type Plant } from '../../src/testing/planted-env.ts'

const initial: HardState = {
  groupId: '0'.repeat(32),
  term: 1,
  vote: '',
  mayVote: true,
  catchUpIndex: 0,
  commitFloor: 0,
  checkpointIndex: 0,
  firstIndex: 1,
  lastSequence: 1,
  lastFirstIndex: 1,
}

/** The power goes as the `cutAt`th write or sync of a save begins; which term is found afterwards. */
async function termAfterCut(
  seed: number,
  cutAt: number,
  fate: (nthSync: number) => Plant,
): Promise<number | 'damaged'> {
  const simulation = new Simulation({ seed })
  const node = simulation.node('one', { disk: { wholeSectorGarbage: true } })
  let calls = 0
  let isSaving = false
  const planting = new Planting(({ operation, nth }) => {
    if (isSaving && ++calls === cutAt) node.crash()
    return operation === 'sync' ? fate(nth) : 'keep'
  })
  return simulation.run(async () => {
    const process = node.boot()
    const file = await HardStateFile.create(plantedEnv(process, planting), '.', initial)
    isSaving = true
    await process.whileUp(file.save({ term: 2 }))
    isSaving = false
    if (node.isUp) node.crash()
    try {
      return (await HardStateFile.open(node.boot(), '.'))!.state.term
    } catch (error) {
      if (isStoreError(error, 'Damaged')) return 'damaged'
      throw error
    }
  })
}

const seeds = Array.from({ length: 80 }, (_, seed) => seed)

test.each([
  [1, 'the first write', [1]],
  [2, 'the first sync', [1, 2]],
  [3, 'the second write', [2]],
  [4, 'the second sync', [2]],
  [5, 'nothing: it is done', [2]],
])('a power cut at step %i of a save, %s, leaves one of the two states', async (cutAt, _, allowed) => {
  const found = new Set<number | 'damaged'>()
  for (const seed of seeds) found.add(await termAfterCut(seed, cutAt, () => 'keep'))
  expect(found).toEqual(new Set(allowed))
})

test('a save that shares one sync between both copies is found out', async () => {
  const found = new Set<number | 'damaged'>()
  for (let seed = 0; seed < 2000 && !found.has('damaged'); seed++) {
    found.add(await termAfterCut(seed, 4, (nth) => (nth % 2 === 1 ? 'skip' : 'keep')))
  }
  expect(found).toContain('damaged')
})

test('a state that a killed process left in the page cache is durable once it was read', async () => {
  for (const seed of seeds) {
    const simulation = new Simulation({ seed })
    const node = simulation.node('one', { disk: { wholeSectorGarbage: true } })
    let isSaving = false
    const planting = new Planting(({ operation }) => {
      if (isSaving && operation === 'sync' && node.isUp) node.kill()
      return 'keep'
    })
    await simulation.run(async () => {
      const first = node.boot()
      const file = await HardStateFile.create(plantedEnv(first, planting), '.', initial)
      isSaving = true
      await first.whileUp(file.save({ term: 2 }))
      const seen = (await HardStateFile.open(node.boot(), '.'))!.state.term
      node.crash()
      expect((await HardStateFile.open(node.boot(), '.'))!.state.term).toBe(seen)
      expect(seen).toBe(2)
    })
  }
})

test('saves are done in the order asked, and the last one stands', () => {
  const simulation = new Simulation({ seed: 1 })
  const process = simulation.node('one').boot()
  return simulation.run(async () => {
    const file = await HardStateFile.create(process, '.', initial)
    await Promise.all([file.save({ term: 5, vote: 'a' }), file.save({ commitFloor: 9 }), file.save({ vote: 'b' })])
    await file.close()
    const again = await HardStateFile.open(process, '.')
    expect(again?.state).toEqual({ ...initial, term: 5, vote: 'b', commitFloor: 9 })
  })
})

test('a directory without one has none', () => {
  const simulation = new Simulation({ seed: 1 })
  const process = simulation.node('one').boot()
  return simulation.run(async () => expect(await HardStateFile.open(process, '.')).toBeUndefined())
})
