import { expect, test } from 'vitest'
import { Simulation } from '@o3/common/env/sim'
import { LateAnswers } from '../../src/node/late-answers.ts'

/** Runs a script against answers of which four go out together; `out` names those that have. */
async function trial(
  script: (enter: (sender: string) => void, out: readonly string[], at: Desk) => Promise<void>,
): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  await simulation.run(async () => {
    const answers = new LateAnswers(simulation.clock, 8)
    const out: string[] = []
    const enter = (sender: string): void => {
      const answer = answers.enter(sender)
      if (answer === undefined) out.push(sender)
      else void answer.then(() => out.push(sender))
    }
    await script(enter, out, { answers, sleep: (ms) => simulation.clock.sleep(ms) })
  })
}

interface Desk {
  readonly answers: LateAnswers
  readonly sleep: (delayMs: number) => Promise<void>
}

test('half of what a sender may have under way is answered together', () =>
  trial(async (enter, out, { sleep }) => {
    for (let n = 0; n < 3; n++) enter('b')
    enter('c')
    await sleep(0)
    expect(out).toEqual([])
    enter('b')
    await sleep(0)
    expect(out).toEqual(['b', 'b', 'b', 'b'])
  }))

test('nobody waits for long for others', () =>
  trial(async (enter, out, { sleep }) => {
    enter('b')
    enter('c')
    await sleep(4)
    expect(out).toEqual([])
    await sleep(2)
    expect(out).toEqual(['b', 'c'])
    enter('b')
    await sleep(6)
    expect(out).toEqual(['b', 'c', 'b'])
  }))

test('a release answers those who wait, and nobody else', () =>
  trial(async (enter, out, { answers, sleep }) => {
    enter('b')
    enter('c')
    answers.release('b')
    await sleep(0)
    expect(out).toEqual(['b'])
    answers.releaseAll()
    await sleep(0)
    expect(out).toEqual(['b', 'c'])
  }))
