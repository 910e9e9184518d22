import { assert } from '@o3/common/errors'
import type { Operation, Outcome, Place, Recorded } from './operation.ts'

export interface HistoryOptions {
  /** Default 100,000. A call beyond it is a bug of the workload, which is to look at `isFull` and come to an end. */
  readonly mostOperations?: number
}

/** Names an operation of one history while it goes on. */
export type CallId = number & { readonly brand: 'CallId' }

interface Entry<Input, Output> extends Operation<Input, Output> {
  outcome: Outcome<Output>
  place?: Place
}

/**
 * Records what concurrent clients saw. Calls and answers are counted as they come in, so the recorder belongs where the
 * clients are, on one event loop: of two events that it sees in one order, the first did happen first. A wall clock could
 * not promise that.
 *
 * A client has one operation at a time. One whose answer is lost stays open for ever, and its client is retired: whatever it
 * did next would not be ordered behind an operation that may yet happen. Go on under a new name.
 */
export class History<Input, Output> implements Recorded<Input, Output> {
  private readonly entries: Entry<Input, Output>[] = []
  private readonly withdrawals = new Set<Entry<Input, Output>>()
  private readonly busy = new Set<string>()
  private readonly mostOperations: number
  private events = 0

  constructor(options: HistoryOptions = {}) {
    this.mostOperations = options.mostOperations ?? 100_000
  }

  get isFull(): boolean {
    return this.entries.length >= this.mostOperations
  }

  /** In the order of their calls, without those withdrawn. What has no answer yet is open. */
  get operations(): readonly Operation<Input, Output>[] {
    return this.entries.filter((entry) => !this.withdrawals.has(entry))
  }

  /** Before the request is sent. */
  call(asked: { readonly client: string; readonly key: string; readonly input: Input }): CallId {
    const { client, key, input } = asked
    assert(!this.busy.has(client), `client ${client} has an operation that is still open, or lost`)
    assert(!this.isFull, `the history is full with ${this.mostOperations} operations`)
    this.busy.add(client)
    this.entries.push({ client, key, input, call: this.events++, outcome: { kind: 'open' } })
    return (this.entries.length - 1) as CallId
  }

  /** After the answer is there. A refusal is an answer too if it tells something of the state (a precondition failed). */
  answered(id: CallId, output: Output, place?: Place): void {
    const entry = this.goingOn(id)
    entry.outcome = { kind: 'answered', at: this.events++, output }
    if (place !== undefined) entry.place = place
    this.busy.delete(entry.client)
  }

  /** The store promises that this did not and will not happen (`Busy`, `NotLeader`), and the answer says nothing else. */
  withdrawn(id: CallId): void {
    const entry = this.goingOn(id)
    this.withdrawals.add(entry)
    this.busy.delete(entry.client)
  }

  /** An audit found where an operation stands, also a lost one: it happened, and exactly there. */
  placed(id: CallId, place: Place): void {
    this.entry(id).place = place
  }

  private goingOn(id: CallId): Entry<Input, Output> {
    const entry = this.entry(id)
    assert(entry.outcome.kind === 'open' && !this.withdrawals.has(entry), `operation ${id} has come to its end already`)
    return entry
  }

  private entry(id: CallId): Entry<Input, Output> {
    const entry = this.entries[id]
    assert(entry !== undefined, `there is no operation ${id}`)
    return entry
  }
}
