import { describe, expect, test } from 'vitest'
import { Simulation } from '../../src/env/sim/sim-env.ts'
import { isStoreError } from '../../src/errors.ts'
import { MiniLog, type PlantedBug } from './mini-log.ts'

/** Lives of one log on one machine, each ended by a power cut. Returns what was lost, if anything. */
async function livesOf(seed: string, bug?: PlantedBug): Promise<string | undefined> {
  const simulation = new Simulation({ seed })
  const node = simulation.node('n')
  const random = simulation.random.fork('script')
  let acknowledged: number[] = []
  return simulation.run(async () => {
    for (let life = 0; life < 4; life++) {
      const process = node.boot()
      if (random.chance(0.3))
        node.disk.inject({ operation: 'sync', errno: 'EIO', path: /segment/, after: random.below(6) })
      simulation.plan({ afterMs: 300 * random.fraction(), kind: 'script', name: 'cut', action: () => node.crash() })
      const opened = await process.whileUp(MiniLog.open(process, bug))
      if (opened !== 'down') {
        const found = opened.values.slice(0, acknowledged.length)
        if (found.join() !== acknowledged.join()) {
          return `of ${acknowledged.join()} there is ${found.join()}`
        }
        acknowledged = [...opened.values]
        await process.whileUp(appendUntilTrouble(opened, acknowledged, () => process.isAlive))
      }
      if (node.isUp) node.crash()
    }
    return undefined
  })
}

async function appendUntilTrouble(log: MiniLog, acknowledged: number[], isUp: () => boolean): Promise<void> {
  for (let value = acknowledged.length; value < 250; value++) {
    try {
      await log.append(value)
    } catch (error) {
      if (!isStoreError(error, 'Damaged')) throw error
      return // a sync failed: the log is dead until the next life opens it again
    }
    if (isUp()) acknowledged.push(value)
  }
}

describe('on the simulated disk', () => {
  test('a log that does it right loses nothing that it acknowledged', async () => {
    for (let seed = 0; seed < 120; seed++) expect(await livesOf(`right/${seed}`)).toBeUndefined()
  })

  test.each<PlantedBug>([
    'no sync before the answer',
    'answers while the sync is under way',
    'no sync of the directory of a new segment',
    'renames a snapshot that is not synced',
    'removes segments before the snapshot has its name for good',
    'tries a failed sync again',
  ])('a log that %s is found out', async (bug) => {
    let lost: string | undefined
    for (let seed = 0; seed < 100 && lost === undefined; seed++) lost = await livesOf(`wrong/${seed}`, bug)
    expect(lost).toMatch(/^of .* there is/)
  })
})
