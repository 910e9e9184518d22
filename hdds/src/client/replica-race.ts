/** The same question to several replicas, one after another and beside each other, until one answers. */

import type { Cancel, Clock } from '@o3/common/env'

/** A question that was put to a replica. */
export interface Asked<T> {
  readonly answer: Promise<T>
  /** Its answer is not wanted any more. What it still brings is dropped. */
  cancel(): void
}

export interface Contender<R, T> {
  readonly replica: R
  readonly asked: Asked<T>
  readonly startedMs: number
  readonly why: 'turn' | 'hedge' | 'silence'
}

export interface RaceRules<R, T> {
  readonly clock: Clock
  /** In the order in which to ask them. */
  readonly replicas: readonly R[]
  readonly ask: (replica: R) => Asked<T>
  /** A second replica is asked after so long, if `mayHedge` says so then. */
  readonly hedgeAfterMs: number
  readonly mayHedge: () => boolean
  /** One that was silent for so long is as good as gone: the next is asked, whatever `mayHedge` says. */
  readonly silenceMs: number
  /** One was silent for so long, and another one is asked because of it. */
  readonly silent: () => void
  /** A replica has failed. What it throws ends the race. */
  readonly failed: (contender: Contender<R, T>, error: unknown) => void
}

interface Settled<R, T> {
  readonly contender: Contender<R, T>
  readonly result: { readonly value: T } | { readonly error: unknown }
}

export interface Won<R, T> {
  readonly contender: Contender<R, T>
  readonly value: T
  /** Those that were still asked, and are so no more. */
  readonly outrun: readonly Contender<R, T>[]
}

/** At most three are asked at a time. All that were asked and did not win are cancelled, however it ends. */
export class ReplicaRace<R, T> {
  private readonly rules: RaceRules<R, T>
  private readonly running = new Set<Contender<R, T>>()
  private readonly settled: Settled<R, T>[] = []
  private readonly left: R[]
  private wake: (() => void) | undefined
  private hedge: 'due' | 'spent' = 'due'
  private silences = 0
  private isCancelled = false

  constructor(rules: RaceRules<R, T>) {
    this.rules = rules
    this.left = [...rules.replicas]
  }

  /** Undefined when nobody has answered and nobody is left, or it was cancelled. */
  async run(): Promise<Won<R, T> | undefined> {
    try {
      this.start('turn')
      while (this.running.size > 0 && !this.isCancelled) {
        await this.untilSomethingHappens()
        for (let event = this.settled.shift(); event !== undefined; event = this.settled.shift()) {
          const won = this.take(event)
          if (won !== undefined) return won
        }
        this.goOn()
      }
      return undefined
    } finally {
      for (const { asked } of this.running) asked.cancel()
      this.running.clear()
    }
  }

  cancel(): void {
    this.isCancelled = true
    this.wake?.()
  }

  private take({ contender, result }: Settled<R, T>): Won<R, T> | undefined {
    // It was cancelled with the others.
    if (!this.running.delete(contender)) return undefined
    if ('value' in result) return { contender, value: result.value, outrun: [...this.running] }
    this.rules.failed(contender, result.error)
    return undefined
  }

  private goOn(): void {
    if (this.isCancelled || this.left.length === 0) return
    if (this.running.size === 0) {
      this.start('turn')
      return
    }
    const waitedMs = this.waitedMs()
    if (waitedMs >= this.rules.silenceMs * (this.silences + 1)) {
      this.silences++
      if (this.running.size >= 3) return
      this.rules.silent()
      this.start('silence')
    } else if (this.hedge === 'due' && this.running.size === 1 && waitedMs >= this.rules.hedgeAfterMs) {
      this.hedge = 'spent'
      if (this.rules.mayHedge()) this.start('hedge')
    }
  }

  private start(why: Contender<R, T>['why']): void {
    const replica = this.left.shift()
    if (replica === undefined) return
    const asked = this.rules.ask(replica)
    const contender: Contender<R, T> = { replica, asked, startedMs: this.rules.clock.monotonicMs(), why }
    this.running.add(contender)
    asked.answer.then(
      (value) => this.happened({ contender, result: { value } }),
      (error: unknown) => this.happened({ contender, result: { error } }),
    )
  }

  private happened(event: Settled<R, T>): void {
    this.settled.push(event)
    this.wake?.()
  }

  /** Of the one that was asked first of those that are asked. */
  private waitedMs(): number {
    const [oldest] = this.running
    return oldest === undefined ? 0 : this.rules.clock.monotonicMs() - oldest.startedMs
  }

  private async untilSomethingHappens(): Promise<void> {
    if (this.settled.length > 0) return
    let cancel: Cancel | undefined
    await new Promise<void>((resolve) => {
      this.wake = resolve
      // Whoever runs when nobody is left is waited for: a datanode bounds its own calls.
      if (this.left.length > 0) cancel = this.rules.clock.after(this.nextAlarmMs(), resolve)
    })
    cancel?.()
    this.wake = undefined
  }

  private nextAlarmMs(): number {
    const { hedgeAfterMs, silenceMs } = this.rules
    const waitedMs = this.waitedMs()
    const silentMs = silenceMs * (this.silences + 1) - waitedMs
    const hedges = this.hedge === 'due' && this.running.size === 1
    return Math.max(1, hedges ? Math.min(hedgeAfterMs - waitedMs, silentMs) : silentMs)
  }
}
