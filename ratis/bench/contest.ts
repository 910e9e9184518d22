/** A subject against its floor: rounds of both, in turns, so that what else the machine does meets both alike. */

import type { Counts } from './counting-env.ts'
import type { Load, Measured } from './load.ts'
import type { Usage } from './subject.ts'
import type { SubjectProcess } from './subject-process.ts'

/** One process or several, the one that is written to first. */
export type Processes = readonly SubjectProcess[]

interface Round extends Measured {
  /** Of each process, per write. */
  readonly cpuUs: readonly number[]
  readonly counts: readonly Counts[]
}

export interface Outcome {
  /** Of the best round. */
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Per write, of the round that needed least: of the process that is written to, and of the others on average. */
  readonly leaderCpuUs: number
  readonly followerCpuUs: number | undefined
  /** Of the first process, in the best round. */
  readonly writesPerSync: number
  readonly syncsPerSecond: number
  /** Of all processes, per write. */
  readonly messages: number
  readonly sends: number
}

export interface Contest {
  readonly own: Outcome
  readonly floor: Outcome | undefined
}

/** The first round warms both up and does not count. */
export async function contest(
  own: Processes,
  floor: Processes | undefined,
  { load, rounds }: { readonly load: Load; readonly rounds: number },
): Promise<Contest> {
  const ours: Round[] = []
  const floors: Round[] = []
  for (let at = 0; at <= rounds; at++) {
    const under = floor === undefined ? undefined : await round(floor, load)
    const over = await round(own, load)
    if (at === 0) continue
    if (under !== undefined) floors.push(under)
    ours.push(over)
  }
  return { own: best(ours, load), floor: floor === undefined ? undefined : best(floors, load) }
}

async function round(processes: Processes, load: Load): Promise<Round> {
  const before = await usagesOf(processes)
  const [first] = processes
  if (first === undefined) throw new Error('there is nobody to measure')
  const measured = await first.measure(load)
  const after = await usagesOf(processes)
  const { writes } = measured
  return {
    ...measured,
    cpuUs: after.map(({ cpuUs }, at) => (cpuUs - (before[at]?.cpuUs ?? 0)) / writes),
    counts: after.map(({ counts }, at) => since(before[at]?.counts, counts)),
  }
}

function usagesOf(processes: Processes): Promise<readonly Usage[]> {
  return Promise.all(processes.map((each) => each.usage()))
}

function since(before: Counts | undefined, after: Counts): Counts {
  if (before === undefined) return after
  return {
    syncs: after.syncs - before.syncs,
    writtenBytes: after.writtenBytes - before.writtenBytes,
    messages: after.messages - before.messages,
    sends: after.sends - before.sends,
    sentBytes: after.sentBytes - before.sentBytes,
  }
}

function best(rounds: readonly Round[], { seconds }: Load): Outcome {
  const fastest = rounds.reduce((a, b) => (b.perSecond > a.perSecond ? b : a))
  const { writes, perSecond, p50Ms, p99Ms, counts } = fastest
  const least = (of: (round: Round) => number): number => Math.min(...rounds.map(of))
  const total = (of: (each: Counts) => number): number => counts.reduce((sum, each) => sum + of(each), 0)
  const followers = fastest.cpuUs.length - 1
  const followersCpu = (round: Round): number => round.cpuUs.slice(1).reduce((sum, each) => sum + each, 0)
  const syncs = counts[0]?.syncs ?? 0
  return {
    perSecond,
    p50Ms,
    p99Ms,
    leaderCpuUs: least(({ cpuUs }) => cpuUs[0] ?? 0),
    followerCpuUs: followers === 0 ? undefined : least(followersCpu) / followers,
    writesPerSync: writes / syncs,
    syncsPerSecond: syncs / seconds,
    messages: total((each) => each.messages) / writes,
    sends: total((each) => each.sends) / writes,
  }
}
