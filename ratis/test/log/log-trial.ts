import { expect } from 'vitest'
import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import { Simulation, type DiskFault, type SimNode, type SimProcess, type SimRandom } from '@o3/common/env/sim'
import {
  openLog,
  type HardState,
  type LogEntry,
  type LogOptions,
  type SegmentedLog,
} from '../../src/log/segmented-log.ts'
import { plantedEnv, type Planting } from '../../src/testing/planted-env.ts'
import { LogModel, type LogContent } from './log-model.ts'

/** One thing that a trial does with the log. */
export type LogStep =
  /** Appends without waiting; one append for each list of payload sizes. */
  | { readonly kind: 'append'; readonly appends: readonly (readonly number[])[] }
  | { readonly kind: 'settle' }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'floor' }
  /** A new term; `wait`: until it is durable. Appends are of the new term at once. */
  | { readonly kind: 'vote'; readonly wait: boolean }
  | { readonly kind: 'cut'; readonly keepBytes: number }
  /** Removes up to so many of the newest entries, without waiting. */
  | { readonly kind: 'truncate'; readonly count: number }
  /** Starts anew so many entries behind the end, or before it, without waiting. */
  | { readonly kind: 'reset'; readonly ahead: number }
  | { readonly kind: 'reopen' }
  /** The power goes, and something is broken in the dark; `at` picks the place, from 0 to 1. */
  | {
      readonly kind: 'damage'
      readonly what: 'flip' | 'remove' | 'hard-state' | 'lose-hard-state'
      readonly at: number
    }
  /**
   * A sync of such a file fails, after some that do not: in this process, or in the next one, which may be at its recovery.
   * The log ends, and another process opens it on the same machine: the page cache is still there.
   */
  | {
      readonly kind: 'fail-sync'
      readonly of: keyof typeof syncsOf
      readonly after: number
      readonly process: 'this' | 'next'
    }
  /** The process or the machine goes down after `afterMs`, or at the nth passing of a site, also while it recovers. */
  | { readonly kind: 'down'; readonly how: 'crash' | 'kill'; readonly afterMs: number }
  | { readonly kind: 'trap'; readonly how: 'crash' | 'kill'; readonly site: string; readonly hit: number }

export interface LogTrialOptions {
  readonly seed: string | number
  readonly log?: LogOptions
  readonly planting?: Planting
}

const directory = 'log'

const syncsOf = {
  log: /\.segment$|\/spare(\.new)?$/,
  'hard-state': /\/hard-state$/,
} as const

/** Small enough that a few appends fill a segment. */
export const smallLog: LogOptions = { segmentBytes: 32 * 1024, maxBatchBytes: 16 * 1024 }

/**
 * A log on a machine that goes down, and what its clients know of it. After each recovery, and whenever it has nothing to
 * do, the trial compares it with its model.
 */
export class LogTrial {
  readonly simulation: Simulation
  readonly node: SimNode
  private readonly options: LogTrialOptions
  private readonly random: SimRandom
  private process!: SimProcess
  private log!: SegmentedLog
  private readonly model = new LogModel()
  /** Asked for last, and acknowledged last. */
  private vote: Vote = { term: 0, vote: '', mayVote: true }
  private voted = this.vote
  private votes: Vote[] = [this.vote]
  private committed = 0
  /** Something that had been durable was broken: until it is caught up with, the log may not vote. 0: nothing was. */
  private lost = 0
  private isHarmed = false
  private isVoteLost = false
  private cutBelow = 1
  private pending: Promise<unknown>[] = []
  /** What fails in the next process. */
  private faults: DiskFault[] = []
  /** A sync of this process failed, or will. */
  private mayFail = false
  failures = 0
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
        await this.unlessFailed(this.step(step))
        if (!this.node.isUp) await this.open()
      }
      this.node.onSite = () => 'go-on'
      this.faults = []
      this.node.crash()
      await this.open()
      await this.whileUp(this.log.close())
    })
  }

  /** The process ends when its log has failed; the machine goes on. */
  private async unlessFailed<T>(work: Promise<T>): Promise<T | 'failed'> {
    try {
      const result = await work
      if (!this.mayFail || !this.node.isUp || this.log.failed === undefined) return result
    } catch (error) {
      if (!this.mayFail || !isStoreError(error, 'VolumeFailed', 'OutcomeUnknown', 'Closed')) throw error
    }
    this.failures++
    this.node.kill()
    return 'failed'
  }

  private async step(step: LogStep): Promise<void> {
    switch (step.kind) {
      case 'append':
        for (const sizes of step.appends) this.append(sizes)
        return
      case 'settle':
        if ((await this.whileUp(Promise.all(this.pending))) !== 'down') await this.audit('running')
        return
      case 'pause':
        await this.whileUp(this.process.clock.sleep(step.ms))
        return
      case 'floor':
        this.committed = Math.max(this.committed, this.log.durableIndex)
        this.log.noteCommitted(this.committed)
        return
      case 'vote': {
        const saved = this.saveVote()
        saved.catch(() => undefined)
        if (step.wait) await this.whileUp(saved)
        return
      }
      case 'truncate':
        this.truncate(step.count)
        return
      case 'reset':
        this.reset(step.ahead)
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
      case 'fail-sync': {
        const { process, after } = step
        const fault: DiskFault = { operation: 'sync', errno: 'EIO', path: syncsOf[step.of], after }
        if (process === 'this') this.arm(fault)
        else this.faults.push(fault)
        return
      }
      case 'damage':
        await this.harm(step)
        return
    }
  }

  private arm(fault: DiskFault): void {
    this.mayFail = true
    this.node.disk.inject(fault)
  }

  private setTrap({ how, site, hit }: LogStep & { readonly kind: 'trap' }): void {
    let left = hit
    this.node.onSite = (at) => (at === site && --left === 0 ? how : 'go-on')
  }

  private async harm({ what, at }: LogStep & { readonly kind: 'damage' }): Promise<void> {
    const { node } = this
    const trap = node.onSite
    node.onSite = () => 'go-on'
    // All is committed, and known to be: the loss of the last batch, just before, would look like a torn write.
    await this.whileUp(Promise.all(this.pending))
    await this.whileUp(this.log.saveHardState({ commitFloor: this.log.durableIndex }))
    node.crash()
    const { disk } = node.boot()
    const names = (await disk.list(directory)).filter((name) => name.endsWith('.segment'))
    const name = names[Math.floor(at * names.length)]
    const path = `${directory}/${name}`
    this.isVoteLost ||= what === 'hard-state' || what === 'lose-hard-state'
    if (what === 'remove' && name !== undefined) await disk.remove(path)
    if (what === 'lose-hard-state') await disk.remove(`${directory}/hard-state`)
    await disk.syncDirectory(directory)
    node.crash()
    if (what === 'hard-state') for (const offset of [99, 4096 + 99]) node.disk.flip(`${directory}/hard-state`, offset)
    if (what === 'flip' && name !== undefined) node.disk.flip(path, Math.floor(this.random.fraction() * 24_000))
    this.isHarmed = true
    node.onSite = trap
  }

  private append(sizes: readonly number[]): void {
    const { log } = this
    const first = log.lastIndex + 1
    const { term } = this.vote
    const entries = sizes.map((size, at) => ({ index: first + at, term, payload: this.random.bytes(size) }))
    const acknowledge = this.model.append(entries)
    this.expectDone((done) => log.append(entries, done), acknowledge)
  }

  private truncate(count: number): void {
    const { log } = this
    const floor = Math.max(this.committed, log.hardState.commitFloor, log.termRuns[0]?.firstIndex ?? 0)
    const index = Math.max(floor, log.lastIndex - count) + 1
    if (index > log.lastIndex + 1) return
    const acknowledge = this.model.cut(index)
    this.expectDone((done) => log.truncateFrom(index, done), acknowledge)
    expect([log.lastIndex, log.durableIndex < index, log.termAt(index)]).toEqual([index - 1, true, undefined])
  }

  private reset(ahead: number): void {
    const { log } = this
    const index = Math.max(0, log.lastIndex + ahead)
    const { term } = this.vote
    const acknowledge = this.model.reset(index, term)
    this.committed = index
    this.cutBelow = Math.max(this.cutBelow, index + 1)
    const { process } = this
    const done = log.resetTo({ index, term }).then(() => {
      if (process.isAlive) acknowledge()
    })
    done.catch(() => undefined)
    this.pending.push(done)
  }

  private expectDone(act: (done: (error?: Error) => void) => void, acknowledge: () => void): void {
    const { process } = this
    const done = new Promise<void>((resolve, reject) => {
      act((error) => {
        if (error !== undefined) return reject(error)
        if (process.isAlive) acknowledge()
        resolve()
      })
    })
    // Whoever waits for it has the rejection; when the machine goes down nobody does.
    done.catch(() => undefined)
    this.pending.push(done)
  }

  private async saveVote(): Promise<void> {
    const { process } = this
    const { mayVote } = this.options.log?.onDamage === 'repair' ? this.log.hardState : this.coin()
    const vote = { term: this.vote.term + 1, vote: `m${this.votes.length}`, mayVote }
    this.vote = vote
    this.votes.push(vote)
    await this.log.saveHardState(vote)
    if (process.isAlive && vote.term > this.voted.term) this.voted = vote
  }

  private coin(): { readonly mayVote: boolean } {
    return { mayVote: this.random.fraction() < 0.5 }
  }

  private async cut(keepBytes: number): Promise<void> {
    const index = this.log.durableIndex
    this.committed = Math.max(this.committed, index)
    const save = this.log.saveHardState({ checkpointIndex: index, commitFloor: index })
    if ((await this.whileUp(save)) === 'down') return
    this.cutBelow = Math.max(this.cutBelow, index + 1)
    await this.whileUp(this.log.truncateBefore(index + 1, keepBytes))
  }

  private async open(): Promise<void> {
    this.pending = []
    for (let attempts = 1; ; attempts++) {
      expect(attempts).toBeLessThan(10)
      const process = this.node.boot()
      this.process = process
      this.mayFail = false
      for (const fault of this.faults.splice(0)) this.arm(fault)
      const env: Env = this.options.planting === undefined ? process : plantedEnv(process, this.options.planting)
      const opening = process.whileUp(openLog(env, directory, this.options.log ?? smallLog))
      const opened = await this.unlessFailed(opening)
      if (opened === 'down' || opened === 'failed') continue
      this.log = opened
      this.recoveries++
      this.auditVote()
      if (await this.audit('opened')) return
    }
  }

  /** False when the machine went down meanwhile. */
  private async audit(when: 'opened' | 'running'): Promise<boolean> {
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
    const before = { index: log.firstIndex - 1, term: log.termAt(log.firstIndex - 1) }
    const content = { before, entries }
    if (when === 'opened' && this.isHarmed) this.auditDamage(content)
    else this.model.found(content)
    this.auditLoss()
    for (const { index, term } of entries) expect(log.termAt(index)).toBe(term)
    expect(log.hardState.term).toBeGreaterThanOrEqual(entries.at(-1)?.term ?? 0)
    return true
  }

  /** Whatever was harmed: what is not there is known not to be. */
  private auditDamage(content: LogContent): void {
    this.isHarmed = false
    if (!this.isVoteLost && this.model.allows(content)) return this.model.found(content)
    this.lost = Math.max(this.lost, this.model.promisedIndex)
    this.model.foundDamaged(content)
    const { commitFloor } = this.log.hardState
    expect(commitFloor).toBeLessThanOrEqual(this.log.lastIndex)
    this.committed = commitFloor
    this.isVoteLost = false
  }

  private auditLoss(): void {
    if (this.lost === 0) return
    expect(this.log.hardState.mayVote).toBe(false)
    expect(this.log.hardState.catchUpIndex).toBeGreaterThanOrEqual(this.lost)
  }

  /** The vote is the last acknowledged one or one that was asked for later. */
  private auditVote(): void {
    const { term, vote, mayVote } = this.log.hardState
    if (this.isHarmed) {
      if (!this.isVoteLost)
        expect([term >= this.voted.term, this.votes.map((asked) => asked.vote)]).toEqual([
          true,
          expect.arrayContaining([vote]),
        ])
      this.voted = this.vote = { term, vote, mayVote }
      this.votes.push(this.vote)
      return
    }
    expect(term).toBeGreaterThanOrEqual(this.voted.term)
    expect(this.votes).toContainEqual({ term, vote, mayVote })
    this.voted = { term, vote, mayVote }
    this.vote = this.voted
  }

  /** What the process that the log runs on says. */
  private whileUp<T>(work: Promise<T>): Promise<T | 'down'> {
    return this.process.whileUp(work)
  }
}

type Vote = Pick<HardState, 'term' | 'vote' | 'mayVote'>
