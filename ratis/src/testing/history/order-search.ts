import { assert } from '@o3/common/errors'
import type { Model } from './model.ts'
import type { Operation, Outcome } from './operation.ts'

/**
 * An operation as the search sees it. It takes effect at one moment between `from` and `to`, both included; `to` infinite:
 * or never.
 */
export interface Interval<Input, Output> {
  readonly operation: Operation<Input, Output>
  readonly from: number
  readonly to: number
  readonly outcome: Outcome<Output>
  /**
   * The operation must leave the state as it is. All of those with the same `to`, which is also their `from`, see the same
   * state.
   */
  readonly changesNothing: boolean
}

export type SearchResult<State, Input, Output> =
  | { readonly kind: 'found'; readonly order: readonly Operation<Input, Output>[]; readonly state: State }
  /** The intervals that end before `reachedTo` can be ordered; perhaps more. */
  | { readonly kind: 'none'; readonly reachedTo: number }
  | { readonly kind: 'gave-up' }

/** How often the model may be asked; counts down. Each step also adds at most one remembered configuration. */
export interface StepBudget {
  left: number
}

/**
 * Looks for an order of the operations of one object that respects their intervals and that the model agrees with: Wing and
 * Gong's search ("Testing and verifying concurrent objects", 1993) with Lowe's memory of configurations ("Testing for
 * linearizability", 2017), as in Porcupine, and five cuts that leave the verdict as it is:
 *
 * - an operation that can go now and changes nothing in any state goes now: where it comes later in some order, it may be
 *   moved up to here;
 * - an open operation that would change nothing here is not tried: it need not happen at all;
 * - of operations with the same input and answer, the one that begins and ends earlier goes earlier: if they stand the
 *   other way round in some order, they may change places;
 * - where the model says that one of the next answers cannot come any more, the search turns back;
 * - a configuration that failed with fewer open operations used up fails with more: it has fewer ways to go on.
 */
export function searchOrder<State extends NonNullable<unknown>, Input, Output>(
  model: Model<State, Input, Output>,
  intervals: readonly Interval<Input, Output>[],
  budget: StepBudget,
): SearchResult<State, Input, Output> {
  return new OrderSearch(model, intervals, budget).run()
}

/** How many operations ahead the model is asked whether there is hope. */
const lookahead = 32

/** A configuration on the way from the first one to the present one. */
interface Frame<State> {
  readonly state: State
  readonly stateId: number
  readonly base: number
  readonly top: number
  readonly used: bigint
  /** Which intervals may come next; those before `next` have been tried. */
  readonly candidates: readonly number[]
  next: number
}

class OrderSearch<State extends NonNullable<unknown>, Input, Output> {
  private readonly model: Model<State, Input, Output>
  private readonly budget: StepBudget
  /** Those that must happen, by `from`, and behind them, at `required` and up, those that need not. */
  private readonly intervals: readonly Interval<Input, Output>[]
  private readonly required: number
  private readonly readOnly: readonly boolean[]
  /** Of each interval one that is interchangeable with it and goes before it; -1: there is none. */
  private readonly elders: readonly number[]
  private readonly isDone: Uint8Array
  private readonly stateIds = new Map<string, number>()
  /** By what was done and the state: the sets of open operations that had been used up, none of them within another. */
  private readonly seen = new Map<string, bigint[]>()
  private readonly path: number[] = []
  private readonly frames: Frame<State>[] = []
  /** Before `base` all that is required is done; from `top` on nothing is. */
  private base = 0
  private top = 0
  private used = 0n
  private reachedTo = -Infinity

  constructor(model: Model<State, Input, Output>, intervals: readonly Interval<Input, Output>[], budget: StepBudget) {
    this.model = model
    this.budget = budget
    for (const { from, to } of intervals) assert(from <= to, `an operation ends at ${to}, before it began at ${from}`)
    const byFrom = intervals.toSorted((a, b) => a.from - b.from)
    const required = byFrom.filter(({ to }) => to !== Infinity)
    const optional = byFrom.filter(
      ({ to, operation, outcome }) => to === Infinity && !model.isReadOnly(operation.input, outcome),
    )
    this.intervals = [...required, ...optional]
    this.required = required.length
    this.readOnly = this.intervals.map(
      ({ operation, outcome, changesNothing }) => !changesNothing && model.isReadOnly(operation.input, outcome),
    )
    this.elders = eldersOf(this.intervals)
    this.isDone = new Uint8Array(this.intervals.length)
  }

  run(): SearchResult<State, Input, Output> {
    const { model, frames } = this
    this.enter(model.init, this.idOf(model.init))
    while (this.base < this.required) {
      const frame = frames.at(-1)
      if (frame === undefined) return { kind: 'none', reachedTo: this.reachedTo }
      const chosen = frame.candidates[frame.next++]
      if (chosen === undefined) this.leave()
      else if (this.budget.left-- <= 0) return { kind: 'gave-up' }
      else this.take(frame, chosen)
    }
    const order = this.path.map((at) => this.at(at).operation)
    return { kind: 'found', order, state: frames.at(-1)?.state ?? model.init }
  }

  private take(frame: Frame<State>, chosen: number): void {
    const { operation, outcome, changesNothing } = this.at(chosen)
    const state = this.model.step(frame.state, operation.input, outcome)
    if (state === undefined) return
    const stateId = this.idOf(state)
    const changed = stateId !== frame.stateId
    if (changed && changesNothing) return
    if (!changed && chosen >= this.required) return
    if (this.readOnly[chosen] === true) {
      assert(!changed, 'the model calls an operation read-only that changes the state')
      frame.next = frame.candidates.length
    }
    this.mark(chosen)
    if (this.isKnown(stateId)) this.unmark(frame, chosen)
    else {
      this.path.push(chosen)
      this.enter(state, stateId)
    }
  }

  private enter(state: State, stateId: number): void {
    const { base, top, used } = this
    this.frames.push({ state, stateId, base, top, used, candidates: this.candidates(state), next: 0 })
  }

  private leave(): void {
    this.frames.pop()
    const chosen = this.path.pop()
    const before = this.frames.at(-1)
    if (chosen !== undefined && before !== undefined) this.unmark(before, chosen)
  }

  private mark(chosen: number): void {
    this.isDone[chosen] = 1
    if (chosen >= this.required) this.used |= 1n << BigInt(chosen - this.required)
    else this.top = Math.max(this.top, chosen + 1)
    while (this.base < this.required && this.isDone[this.base] === 1) this.base++
  }

  private unmark(before: Frame<State>, chosen: number): void {
    this.isDone[chosen] = 0
    this.base = before.base
    this.top = before.top
    this.used = before.used
  }

  /**
   * What began before the first end among what is still to come. First those after which nothing else need be tried, then
   * whoever has to come to an end first: the others may as well wait (Lowe: just in time).
   */
  private candidates(state: State): readonly number[] {
    if (this.isHopeless(state)) return []
    const { required, isDone, readOnly } = this
    const reads: number[] = []
    const others: number[] = []
    let firstEnd = Infinity
    for (let at = this.base; at < required; at++) {
      const { from, to } = this.at(at)
      if (from > firstEnd) break
      if (isDone[at] === 1) continue
      firstEnd = Math.min(firstEnd, to)
      if (readOnly[at] === true) reads.push(at)
      else if (this.isEldest(at)) others.push(at)
    }
    this.reachedTo = Math.max(this.reachedTo, firstEnd)
    const fixed = others.find((at) => this.at(at).changesNothing)
    if (fixed !== undefined) return this.hasBegun(firstEnd) ? [fixed] : [fixed, ...this.optional(firstEnd)]
    return [...reads, ...others.sort((a, b) => this.at(a).to - this.at(b).to), ...this.optional(firstEnd)]
  }

  private optional(firstEnd: number): readonly number[] {
    const found: number[] = []
    for (let at = this.required; at < this.intervals.length && this.at(at).from <= firstEnd; at++) {
      if (this.isDone[at] === 0 && this.isEldest(at)) found.push(at)
    }
    return found
  }

  /** Those that are bound to change nothing at one moment see one state: once the first was there, only they go on. */
  private hasBegun(moment: number): boolean {
    const last = this.path.at(-1)
    if (last === undefined) return false
    const { to, changesNothing } = this.at(last)
    return changesNothing && to === moment
  }

  /** Whether one of the next that are required has an answer that cannot come any more. */
  private isHopeless(state: State): boolean {
    const { model, isDone, required } = this
    if (model.mayLeadTo === undefined) return false
    for (let at = this.base, ahead = 0; at < required && ahead < lookahead; at++) {
      if (isDone[at] === 1) continue
      ahead++
      const { operation, outcome } = this.at(at)
      if (outcome.kind === 'answered' && !model.mayLeadTo(state, operation.input, outcome.output)) return true
    }
    return false
  }

  private isEldest(at: number): boolean {
    const elder = this.elders[at] ?? -1
    return elder === -1 || this.isDone[elder] === 1
  }

  /** Whether the present configuration, or one with more ways to go on, was entered before; if not, it now was. */
  private isKnown(stateId: number): boolean {
    const { seen, used } = this
    const key = this.configuration(stateId)
    const before = seen.get(key)
    if (before === undefined) {
      seen.set(key, [used])
      return false
    }
    if (before.some((less) => (less & ~used) === 0n)) return true
    seen.set(key, [...before.filter((more) => (used & ~more) !== 0n), used])
    return false
  }

  /** The state and what was done of what is required, in as many code units as it takes: no hash, so no false memory. */
  private configuration(stateId: number): string {
    const { base, top, isDone } = this
    const units = [stateId & 0xffff, stateId >>> 16, base & 0xffff, base >>> 16]
    for (let at = base; at < top; at += 16) {
      let unit = 0
      for (let bit = 0; bit < 16 && at + bit < top; bit++) unit |= (isDone[at + bit] ?? 0) << bit
      units.push(unit)
    }
    return String.fromCharCode(...units)
  }

  private idOf(state: State): number {
    const identity = this.model.identity(state)
    const known = this.stateIds.get(identity)
    if (known !== undefined) return known
    this.stateIds.set(identity, this.stateIds.size)
    return this.stateIds.size - 1
  }

  private at(index: number): Interval<Input, Output> {
    const interval = this.intervals[index]
    assert(interval !== undefined, `there is no interval ${index}`)
    return interval
  }
}

function eldersOf<Input, Output>(intervals: readonly Interval<Input, Output>[]): readonly number[] {
  const last = new Map<string, number>()
  return intervals.map(({ operation, outcome, to, changesNothing }, at) => {
    const output = outcome.kind === 'answered' ? outcome.output : null
    const kind = JSON.stringify([operation.input, outcome.kind, output, changesNothing, to === Infinity])
    const elder = last.get(kind) ?? -1
    last.set(kind, at)
    // All are sorted by their beginnings; in one that ends later, nothing says which goes first.
    return elder !== -1 && (intervals[elder]?.to ?? Infinity) <= to ? elder : -1
  })
}
