import { StoreError, type Refusal } from '@o3/common/errors'
import type { BinaryKey } from '@o3/common/kv'
import type { Change, Decision, PlanView, Row, RowRange, Stamp, StoreRules, Table } from '../api/api.ts'

export interface PureStoreOptions {
  /** `wallMs` of the first stamp; later ones only move by `advance`. Default 1,700,000,000,000. */
  readonly startMs?: number
}

/**
 * Rules without a machine: plans are applied at once to a map, so a table test of a rule is one line. Rows are kept in
 * their encoded form and decoded for every read, replies pass through their codec, and each plan runs twice and must
 * decide the same: a codec that forgets a field or a plan that is not pure does not survive here.
 */
export class PureStore<Command, Reply> {
  private readonly rules: StoreRules<Command, Reply>
  private readonly rowBytes = new Map<BinaryKey, Uint8Array>()
  private wallMs: number
  private sequence = 0

  constructor(rules: StoreRules<Command, Reply>, options: PureStoreOptions = {}) {
    this.rules = rules
    this.wallMs = options.startMs ?? 1_700_000_000_000
  }

  /** Moves the clock of the stamps. */
  advance(ms: number): void {
    this.wallMs += ms
  }

  /** The stamp that the next plan will see. */
  nextStamp(): Stamp {
    const sequence = this.sequence + 1
    return { wallMs: this.wallMs, sequence, nonce: sequence.toString(16).padStart(32, '0') }
  }

  /** Plans without applying. */
  plan(command: Command, stamp: Stamp = this.nextStamp()): Decision<Reply> | Refusal {
    return this.rules.plan(this.view(), command, stamp)
  }

  /** Plans and applies; a refusal changes nothing. */
  try(command: Command, stamp: Stamp = this.nextStamp()): Decision<Reply> | Refusal {
    const outcome = this.plan(command, stamp)
    expectSame(this.describe(outcome), this.describe(this.plan(command, stamp)))
    this.sequence = stamp.sequence
    if (outcome.kind === 'refusal') return outcome
    for (const change of outcome.changes) this.apply(change)
    return { ...outcome, reply: this.rules.decodeReply(this.rules.encodeReply(outcome.reply)) }
  }

  /** Like `try`, but throws a refusal as `StoreError`: the shape of `ReplicatedStore.execute`. */
  execute(command: Command, stamp?: Stamp): Reply {
    const outcome = this.try(command, stamp)
    if (outcome.kind === 'refusal') throw StoreError.fromRecord(outcome)
    return outcome.reply
  }

  get<Key, Value>(table: Table<Key, Value>, key: Key): Value | undefined {
    const bytes = this.rowBytes.get(table.prefix + table.encodeKey(key))
    return bytes === undefined ? undefined : table.decode(bytes)
  }

  /** All rows of a table in key order, or those of a range (`from` ≤ row key < `to`, without prefix). */
  rows<Key, Value>(table: Table<Key, Value>, range: RowRange = { from: '' }): readonly Row<Key, Value>[] {
    const rowKeys = [...this.rowBytes.keys()]
      .filter((rowKey) => rowKey.startsWith(table.prefix))
      .map((rowKey) => rowKey.slice(table.prefix.length))
      .filter((rowKey) => rowKey >= range.from && (range.to === undefined || rowKey < range.to))
      .sort((a, b) => (a < b ? -1 : 1))
    if (range.reverse === true) rowKeys.reverse()
    return rowKeys.map((rowKey) => {
      const bytes = this.rowBytes.get(table.prefix + rowKey) as Uint8Array
      return { key: table.decodeKey(rowKey), rowKey, value: table.decode(bytes) }
    })
  }

  private view(): PlanView {
    return {
      get: (table, key) => this.get(table, key),
      getMany: (table, keys) => keys.map((key) => this.get(table, key)),
    }
  }

  private apply({ table, key, value }: Change): void {
    const rowKey = table.prefix + table.encodeKey(key)
    if (value === undefined) this.rowBytes.delete(rowKey)
    else this.rowBytes.set(rowKey, table.encode(value).slice())
  }

  private describe(outcome: Decision<Reply> | Refusal): string {
    if (outcome.kind === 'refusal') return JSON.stringify(outcome)
    const changes = outcome.changes.map(({ table, key, value }) => [
      table.prefix + table.encodeKey(key),
      value === undefined ? null : Buffer.from(table.encode(value)).toString('hex'),
    ])
    return JSON.stringify([Buffer.from(this.rules.encodeReply(outcome.reply)).toString('hex'), changes])
  }
}

function expectSame(first: string, second: string): void {
  if (first !== second) throw new Error(`the plan is not pure: it decided ${first}, then ${second}`)
}
