import { expect } from 'vitest'
import { PureStore } from '../../src/testing/pure-store.ts'
import { counterRules, counters, type Counter, type CounterCommand, type CounterReply } from './counter-rules.ts'

/** One named request. */
export interface Asked {
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
 * What clients were answered and shown. Clients name their requests and ask again until they have an answer, so in the end
 * everybody knows what happened, and it must be what one counter after the other would have done:
 *
 * - sorted by the sequence in their replies, the commands replayed on a map give the same replies and the same rows;
 * - a command that began after another was answered comes later in that order;
 * - every read showed a state of that order, no older than what had been answered when it began; a view showed one whole.
 */
export class Witness {
  readonly asked: Asked[] = []
  /** The highest sequence that anybody was answered. */
  answeredUpTo = 0
  private readonly seen: Seen[] = []
  private readonly views: { readonly rows: ReadonlyMap<string, Counter>; readonly atLeast: number }[] = []

  ask(command: CounterCommand): Asked {
    const requestId = `request ${this.asked.length}`
    const asked: Asked = { command, requestId, begun: this.answeredUpTo, answer: undefined, refused: false }
    this.asked.push(asked)
    return asked
  }

  answered(asked: Asked, answer: CounterReply): void {
    const { command, begun } = asked
    if (asked.answer !== undefined) expect(answer).toEqual(asked.answer)
    asked.answer = answer
    if (changes(command)) {
      expect(answer.sequence).toBeGreaterThan(begun)
      this.answeredUpTo = Math.max(this.answeredUpTo, answer.sequence)
    } else if (command.kind === 'look') this.sawValue(command.name, begun, answer.value)
  }

  /** `have` is what the refusal of a move says. */
  refused(asked: Asked, have: unknown): void {
    const { command, begun } = asked
    asked.refused = true
    if (command.kind === 'move') this.sawValue(command.from, begun, have)
    if (command.kind === 'drop') this.sawValue(command.name, begun, 0)
  }

  sawRow(name: string, atLeast: number, row: Counter | undefined): void {
    const { value, changedBy } = row ?? {}
    this.seen.push({ name, atLeast, fits: (other) => other?.value === value && other?.changedBy === changedBy })
  }

  sawAll(rows: ReadonlyMap<string, Counter>, atLeast: number): void {
    this.views.push({ rows, atLeast })
  }

  private sawValue(name: string, atLeast: number, value: unknown): void {
    this.seen.push({ name, atLeast, fits: (row) => (row?.value ?? 0) === value })
  }

  /** The last view is of the end. */
  audit(): void {
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

export const changes = (command: CounterCommand): boolean =>
  command.kind === 'add' ||
  command.kind === 'drop' ||
  command.kind === 'pad' ||
  (command.kind === 'move' && command.from !== command.to)
