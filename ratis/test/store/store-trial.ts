import { expect } from 'vitest'
import type { KvStore } from '@o3/common/kv'
import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import { PureStore } from '../../src/testing/pure-store.ts'
import { SimulatedStore } from '../../src/testing/simulated-store.ts'
import { counterRules, counters, type Counter, type CounterCommand, type CounterReply } from './counter-rules.ts'

export type StoreStep =
  /** Executes them at once, each under a request id of its own, without waiting. */
  | { readonly kind: 'execute'; readonly commands: readonly CounterCommand[] }
  | { readonly kind: 'settle' }
  | { readonly kind: 'pause'; readonly ms: number }
  /** Asks again what was answered before, by the same request id. */
  | { readonly kind: 'repeat'; readonly nth: number }
  | { readonly kind: 'get'; readonly name: string }
  | { readonly kind: 'view' }
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'down'; readonly how: 'crash' | 'kill'; readonly afterMs: number }
  | { readonly kind: 'trap'; readonly how: 'crash' | 'kill'; readonly site: string; readonly hit: number }

export interface StoreTrialOptions {
  readonly seed: string | number
  readonly plantEnv?: (env: Env) => Env
  readonly plantKv?: (kv: KvStore) => KvStore
}

interface Asked {
  readonly command: CounterCommand
  readonly requestId: string
  /** The highest sequence that anybody had been answered when this was first asked. */
  readonly begun: number
  answer: CounterReply | undefined
  refused: boolean
}

/** What somebody saw of one counter. No change up to `atLeast` may be missing in it. */
interface Seen {
  readonly name: string
  readonly atLeast: number
  readonly fits: (row: Counter | undefined) => boolean
}

/** The rows after one command of the order. */
interface State {
  readonly sequence: number
  readonly rows: ReadonlyMap<string, Counter>
}

/**
 * A store under random commands on a machine that goes down. Clients name their requests and ask again until they have an
 * answer, so in the end everybody knows what happened, and it must be what one counter after the other would have done:
 *
 * - sorted by the sequence in their replies, the commands replayed on a map give the same replies and the same rows;
 * - a command that began after another was answered comes later in that order;
 * - every read showed a state of that order, no older than what had been answered when it began; a view showed one whole.
 */
export class StoreTrial {
  readonly machine: SimulatedStore<CounterCommand, CounterReply>
  private readonly asked: Asked[] = []
  private readonly seen: Seen[] = []
  private readonly views: { readonly rows: ReadonlyMap<string, Counter>; readonly atLeast: number }[] = []
  private answeredUpTo = 0
  private pending: Promise<void>[] = []

  constructor(options: StoreTrialOptions) {
    this.machine = new SimulatedStore(counterRules, {
      ...options,
      // Slower than the log: reads and writes of rows overlap with the commands that change them.
      kvMaxMs: 6,
      // A cache of a handful of rows: plans wait for rows, rows are evicted while others wait for them.
      store: { cacheBytes: 1000, requests: { maxRequests: 1000, maxAgeMs: 3_600_000 } },
    })
  }

  run(steps: readonly StoreStep[]): Promise<void> {
    const { machine } = this
    return machine.run(async () => {
      for (const step of steps) {
        await this.step(step)
        if (!machine.node.isUp) await this.comeBack()
      }
      machine.node.onSite = () => 'go-on'
      await this.settle()
      await machine.restart('crash')
      await this.comeBack()
      await this.look()
      expect(await machine.whileUp(machine.store.close())).toBeUndefined()
      this.audit()
    })
  }

  private async step(step: StoreStep): Promise<void> {
    const { machine } = this
    switch (step.kind) {
      case 'execute':
        for (const command of step.commands) this.ask(command)
        return
      case 'settle':
        return this.settle()
      case 'pause':
        await machine.whileUp(machine.node.process.clock.sleep(step.ms))
        return
      case 'repeat':
        return this.repeat(step.nth)
      case 'get':
        this.pending.push(this.get(step.name))
        return
      case 'view':
        this.pending.push(this.look())
        return
      case 'checkpoint':
        await machine.whileUp(machine.store.checkpoint())
        return
      case 'reopen':
        if ((await machine.whileUp(machine.store.close())) !== 'down') machine.node.kill()
        return
      case 'down':
        await machine.simulation.clock.sleep(step.afterMs)
        machine.node[step.how]()
        return
      case 'trap': {
        let left = step.hit
        machine.node.onSite = (site) => (site === step.site && --left === 0 ? step.how : 'go-on')
      }
    }
  }

  private ask(command: CounterCommand): void {
    const requestId = `request ${this.asked.length}`
    const asked: Asked = { command, requestId, begun: this.answeredUpTo, answer: undefined, refused: false }
    this.asked.push(asked)
    this.pending.push(this.send(asked))
  }

  private async send(asked: Asked): Promise<void> {
    const { command, requestId, begun } = asked
    try {
      const answer = await this.machine.execute(command, { requestId })
      if (answer === 'down') return
      if (asked.answer !== undefined) expect(answer).toEqual(asked.answer)
      asked.answer = answer
      if (changes(command)) {
        expect(answer.sequence).toBeGreaterThan(begun)
        this.answeredUpTo = Math.max(this.answeredUpTo, answer.sequence)
      } else if (command.kind === 'look') this.saw(command.name, begun, answer.value)
    } catch (error) {
      if (!isStoreError(error, 'PreconditionFailed', 'KeyNotFound')) throw error
      asked.refused = true
      if (command.kind === 'move') this.saw(command.from, begun, error.details['have'])
      if (command.kind === 'drop') this.saw(command.name, begun, 0)
    }
  }

  private saw(name: string, atLeast: number, value: unknown): void {
    this.seen.push({ name, atLeast, fits: (row) => (row?.value ?? 0) === value })
  }

  private async settle(): Promise<void> {
    const { pending } = this
    this.pending = []
    await this.machine.whileUp(Promise.all(pending))
  }

  /** The machine is up again: whoever has no answer asks again. */
  private async comeBack(): Promise<void> {
    const { machine } = this
    this.pending = []
    while (!machine.node.isUp) await machine.open()
    for (const asked of this.asked)
      if (asked.answer === undefined && !asked.refused) this.pending.push(this.send(asked))
  }

  private async repeat(nth: number): Promise<void> {
    const answered = this.asked.filter(({ answer, command }) => answer !== undefined && changes(command))
    const asked = answered[nth % Math.max(1, answered.length)]
    if (asked !== undefined) await this.send(asked)
  }

  private async get(name: string): Promise<void> {
    const atLeast = this.answeredUpTo
    const row = await this.machine.whileUp(Promise.resolve(this.machine.store.get(counters, name)))
    if (row === 'down') return
    const { value, changedBy } = row ?? {}
    this.seen.push({ name, atLeast, fits: (other) => other?.value === value && other?.changedBy === changedBy })
  }

  private async look(): Promise<void> {
    const atLeast = this.answeredUpTo
    const rows = await this.machine.whileUp(
      this.machine.store.read(async (view) => {
        const cursor = view.cursor(counters, { from: '' })
        const found = await cursor.next(1000)
        await cursor.close()
        return new Map(found.map(({ key, value }) => [key, value]))
      }),
    )
    if (rows !== 'down') this.views.push({ rows, atLeast })
  }

  private audit(): void {
    const states = this.replay()
    for (const { name, atLeast, fits } of this.seen) {
      expect(since(states, atLeast).some(({ rows }) => fits(rows.get(name)))).toBe(true)
    }
    for (const view of this.views) {
      expect(since(states, view.atLeast).map(({ rows }) => [...rows])).toContainEqual([...view.rows])
    }
    expect([...this.views.at(-1)!.rows]).toEqual([...states.at(-1)!.rows])
  }

  /** What the commands do one after the other, in the order that their replies claim. */
  private replay(): readonly State[] {
    const done = this.asked
      .filter(({ answer, command }) => answer !== undefined && changes(command))
      .toSorted((a, b) => a.answer!.sequence - b.answer!.sequence)
    const model = new PureStore(counterRules)
    const states: State[] = [{ sequence: 0, rows: new Map() }]
    for (const { command, answer } of done) {
      const { sequence } = answer!
      expect(sequence).toBeGreaterThan(states.at(-1)!.sequence)
      expect([command, model.execute(command, { ...model.nextStamp(), sequence })]).toEqual([command, answer])
      states.push({ sequence, rows: new Map(model.rows(counters).map(({ key, value }) => [key, value])) })
    }
    return states
  }
}

/** The states that show every change up to `sequence`. */
function since(states: readonly State[], sequence: number): readonly State[] {
  return states.filter((_, at) => (states[at + 1]?.sequence ?? Infinity) > sequence)
}

const changes = (command: CounterCommand): boolean =>
  command.kind === 'add' ||
  command.kind === 'drop' ||
  command.kind === 'pad' ||
  (command.kind === 'move' && command.from !== command.to)
