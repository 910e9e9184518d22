import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { Env } from '@o3/common/env'
import { Simulation, type SimNode, type SimProcess, type SimRandom } from '@o3/common/env/sim'
import { openLog, type LogEntry, type LogOptions, type SegmentedLog } from '../../src/log/segmented-log.ts'
import { plantedEnv, type Planting } from '../../src/testing/planted-env.ts'

/** One thing that a trial does with the log. */
export type LogStep =
  /** Appends without waiting; one append for each list of payload sizes. */
  | { readonly kind: 'append'; readonly appends: readonly (readonly number[])[] }
  | { readonly kind: 'settle' }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'floor' }
  | { readonly kind: 'vote' }
  | { readonly kind: 'cut'; readonly keepBytes: number }
  | { readonly kind: 'reopen' }
  /** The process or the machine goes down after `afterMs`, or at the nth passing of a site, also while it recovers. */
  | { readonly kind: 'down'; readonly how: 'crash' | 'kill'; readonly afterMs: number }
  | { readonly kind: 'trap'; readonly how: 'crash' | 'kill'; readonly site: string; readonly hit: number }

export interface LogTrialOptions {
  readonly seed: string | number
  readonly log?: LogOptions
  readonly planting?: Planting
}

const directory = 'log'

/** Small enough that a few appends fill a segment. */
export const smallLog: LogOptions = { segmentBytes: 32 * 1024, maxBatchBytes: 16 * 1024 }

/**
 * A log on a machine that goes down, and what its clients know of it. After each recovery the trial compares: every
 * acknowledged entry is there with its bytes, in order; whatever else is there was appended at that index by somebody.
 */
export class LogTrial {
  readonly simulation: Simulation
  readonly node: SimNode
  private readonly options: LogTrialOptions
  private readonly random: SimRandom
  private process!: SimProcess
  private log!: SegmentedLog
  /** By index: what was acknowledged, or seen after a recovery, and has to stay. */
  private readonly promised = new Map<number, LogEntry>()
  /** By index: all that was ever handed in there. */
  private readonly offered = new Map<number, LogEntry[]>()
  /** Term and vote that were acknowledged. */
  private voted = { term: 0, vote: '' }
  private votes: { term: number; vote: string }[] = []
  private cutBelow = 1
  private pending: Promise<unknown>[] = []
  recoveries = 0

  constructor(options: LogTrialOptions) {
    this.options = options
    this.simulation = new Simulation({ seed: options.seed })
    this.node = this.simulation.node('one', { disk: { wholeSectorGarbage: true } })
    this.random = this.simulation.random.fork('trial')
  }

  /** Runs the steps, then goes through a last crash; rejects when a promise was broken. */
  run(steps: readonly LogStep[]): Promise<void> {
    return this.simulation.run(async () => {
      await this.open()
      for (const step of steps) {
        await this.step(step)
        if (!this.node.isUp) await this.open()
      }
      this.node.onSite = () => 'go-on'
      this.node.crash()
      await this.open()
      await this.whileUp(this.log.close())
    })
  }

  private async step(step: LogStep): Promise<void> {
    switch (step.kind) {
      case 'append':
        for (const sizes of step.appends) this.append(sizes)
        return
      case 'settle':
        await this.whileUp(Promise.all(this.pending))
        return
      case 'pause':
        await this.whileUp(this.process.clock.sleep(step.ms))
        return
      case 'floor':
        this.log.noteCommitted(this.log.durableIndex)
        return
      case 'vote':
        await this.vote()
        return
      case 'cut':
        await this.cut(step.keepBytes)
        return
      case 'reopen':
        if ((await this.whileUp(this.log.close())) !== 'down') this.node.kill()
        return
      case 'down':
        await this.simulation.clock.sleep(step.afterMs)
        if (step.how === 'crash') this.node.crash()
        else this.node.kill()
        return
      case 'trap':
        this.setTrap(step)
        return
    }
  }

  private setTrap({ how, site, hit }: LogStep & { readonly kind: 'trap' }): void {
    let left = hit
    this.node.onSite = (at) => (at === site && --left === 0 ? how : 'go-on')
  }

  private append(sizes: readonly number[]): void {
    const { log, process } = this
    const first = log.lastIndex + 1
    const entries = sizes.map((size, at) => ({
      index: first + at,
      term: this.voted.term,
      payload: this.random.bytes(size),
    }))
    for (const entry of entries) this.offered.set(entry.index, [...(this.offered.get(entry.index) ?? []), entry])
    const done = new Promise<void>((resolve, reject) => {
      log.append(entries, (error) => {
        if (error !== undefined) return reject(error)
        if (process.isAlive) for (const entry of entries) this.promised.set(entry.index, entry)
        resolve()
      })
    })
    this.pending.push(done)
  }

  private async vote(): Promise<void> {
    const vote = {
      term: Math.max(this.voted.term, ...this.votes.map(({ term }) => term)) + 1,
      vote: `m${this.votes.length}`,
    }
    this.votes.push(vote)
    if ((await this.whileUp(this.log.saveHardState(vote))) !== 'down') this.voted = vote
  }

  private async cut(keepBytes: number): Promise<void> {
    const index = this.log.durableIndex
    const save = this.log.saveHardState({ checkpointIndex: index, commitFloor: index })
    if ((await this.whileUp(save)) === 'down') return
    this.cutBelow = index + 1
    await this.whileUp(this.log.truncateBefore(index + 1, keepBytes))
  }

  private async open(): Promise<void> {
    this.pending = []
    for (let attempts = 1; ; attempts++) {
      expect(attempts).toBeLessThan(10)
      const process = this.node.boot()
      this.process = process
      const env: Env = this.options.planting === undefined ? process : plantedEnv(process, this.options.planting)
      const opened = await process.whileUp(openLog(env, directory, this.options.log ?? smallLog))
      if (opened === 'down') continue
      this.log = opened
      this.recoveries++
      if (await this.audit()) return
    }
  }

  /** False when the machine went down meanwhile. */
  private async audit(): Promise<boolean> {
    const { log } = this
    const entries: LogEntry[] = []
    const reader = log.read(log.firstIndex)
    for (;;) {
      const some = await this.process.whileUp(reader.next(log.durableIndex, 10_000))
      if (some === 'down') return false
      if (some.length === 0) break
      entries.push(...some)
    }
    if ((await this.process.whileUp(reader.close())) === 'down') return false
    expect(log.firstIndex).toBeLessThanOrEqual(this.cutBelow)
    expect(entries.map(({ index }) => index)).toEqual(entries.map((_, at) => log.firstIndex + at))
    for (const [index, promised] of this.promised) {
      if (index < log.firstIndex) continue
      expect(describe(entries[index - log.firstIndex])).toBe(describe(promised))
    }
    for (const entry of entries) {
      expect((this.offered.get(entry.index) ?? []).map(describe)).toContain(describe(entry))
      this.promised.set(entry.index, entry)
    }
    this.auditVote()
    return true
  }

  /** The vote is the last acknowledged one or one that was asked for later. */
  private auditVote(): void {
    const { term, vote } = this.log.hardState
    expect(term).toBeGreaterThanOrEqual(this.voted.term)
    if (term > 0) expect(this.votes).toContainEqual({ term, vote })
    this.voted = { term, vote }
  }

  /** What the process that the log runs on says. */
  private whileUp<T>(work: Promise<T>): Promise<T | 'down'> {
    return this.process.whileUp(work)
  }
}

/** Short: a difference between long strings takes seconds to print. */
function describe(entry: LogEntry | undefined): string {
  if (entry === undefined) return 'nothing'
  const digest = createHash('sha1').update(entry.payload).digest('hex')
  return `${entry.index} of term ${entry.term}, ${entry.payload.length} bytes: ${digest}`
}
