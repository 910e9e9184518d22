/** What a leader under load holds in memory while one of its followers is down. */

import type { Load } from './load.ts'
import type { Processes } from './contest.ts'

export interface DeadFollowerOptions {
  /** The leader, a follower that stays, and one that is killed. */
  readonly processes: Processes
  readonly load: Load
  /** The load is run so often; memory is looked at after each. */
  readonly rounds: number
}

export interface DeadFollower {
  readonly writes: number
  /** While all three were there. */
  readonly beforeMB: number
  /** Without the third: in the first half, and in the second. */
  readonly firstHalfMB: number
  readonly secondHalfMB: number
}

export async function measureDeadFollower(options: DeadFollowerOptions): Promise<DeadFollower> {
  const { processes, load, rounds } = options
  const [leader, , dead] = processes
  if (leader === undefined || dead === undefined) throw new Error('it takes three')
  await leader.measure(load)
  const beforeMB = (await leader.usage()).rssBytes / 1e6
  await dead.kill()
  let writes = 0
  const samples: number[] = []
  for (let round = 0; round < rounds; round++) {
    writes += (await leader.measure(load)).writes
    samples.push((await leader.usage()).rssBytes / 1e6)
  }
  const half = Math.floor(samples.length / 2)
  const firstHalfMB = Math.max(...samples.slice(0, half))
  return { writes, beforeMB, firstHalfMB, secondHalfMB: Math.max(...samples.slice(half)) }
}
