import { StoreError, type Refusal } from '@o3/common/errors'
import type { BinaryKey } from '@o3/common/kv'
import type { PlanView, Stamp, StoreRules, Table } from '../api/api.ts'
import type { Overlay } from './overlay.ts'
import type { PatchRow, PendingEntry } from './pending-entry.ts'
import type { MemoryRows } from './memory-rows.ts'

/** What one run of a plan came to. */
export type Planned<Reply> =
  | { readonly kind: 'changed'; readonly reply: Reply; readonly rows: readonly PatchRow[] }
  /** `basis`: the youngest uncommitted entry that the plan saw. The answer holds only if that entry does. */
  | { readonly kind: 'unchanged'; readonly reply: Reply; readonly basis: PendingEntry | undefined }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly basis: PendingEntry | undefined }
  | { readonly kind: 'missing'; readonly rows: readonly MissingRow[] }
  /** A row does not decode, or an operating failure inside the plan. */
  | { readonly kind: 'failed'; readonly error: StoreError }

/** A row that a plan wants and that is not in memory. */
export interface MissingRow {
  readonly table: Table<never, unknown>
  readonly rowKey: BinaryKey
}

/** Ends a plan whose row is not in memory. Made once: no stack is ever needed. */
const missing = new Error('a row is not in memory')

/** Runs plans over overlay and applied rows in memory. Synchronous; plans run one after the other, so one view serves them all. */
export class Planner<Command, Reply> {
  private readonly rules: StoreRules<Command, Reply>
  private readonly view: OverlaidView

  constructor(rules: StoreRules<Command, Reply>, overlay: Overlay, rows: MemoryRows) {
    this.rules = rules
    this.view = new OverlaidView(overlay, rows)
  }

  /** Throws only for bugs. */
  plan(command: Command, stamp: Stamp): Planned<Reply> {
    const { view } = this
    view.basis = undefined
    view.misses = []
    try {
      const outcome = this.rules.plan(view, command, stamp)
      if (outcome.kind === 'refusal') return { kind: 'refused', refusal: outcome, basis: view.basis }
      if (outcome.changes.length === 0) return { kind: 'unchanged', reply: outcome.reply, basis: view.basis }
      return { kind: 'changed', reply: outcome.reply, rows: encodeChanges(outcome.changes) }
    } catch (error) {
      if (error === missing) return { kind: 'missing', rows: view.misses }
      if (error instanceof StoreError) return { kind: 'failed', error }
      throw error
    }
  }
}

class OverlaidView implements PlanView {
  basis: PendingEntry | undefined
  misses: MissingRow[] = []
  private readonly overlay: Overlay
  private readonly rows: MemoryRows

  constructor(overlay: Overlay, rows: MemoryRows) {
    this.overlay = overlay
    this.rows = rows
  }

  get<Key, Value>(table: Table<Key, Value>, key: Key): Value | undefined {
    const value = this.find(table, key)
    if (this.misses.length > 0) throw missing
    return value
  }

  getMany<Key, Value>(table: Table<Key, Value>, keys: readonly Key[]): readonly (Value | undefined)[] {
    const values = keys.map((key) => this.find(table, key))
    if (this.misses.length > 0) throw missing
    return values
  }

  /** The row in memory; notes a miss where it is not. */
  private find<Key, Value>(table: Table<Key, Value>, key: Key): Value | undefined {
    const rowKey = table.prefix + table.encodeKey(key)
    const planned = this.overlay.get(rowKey)
    if (planned !== undefined) {
      if (this.basis === undefined || planned.entry.ordinal > this.basis.ordinal) this.basis = planned.entry
      return planned.value as Value | undefined
    }
    const row = this.rows.get(rowKey)
    if (row === undefined) this.misses.push({ table: table as unknown as Table<never, unknown>, rowKey })
    return row?.value as Value | undefined
  }
}

/** One row per key, the last change of each. */
function encodeChanges(
  changes: readonly { readonly table: Table<unknown, unknown>; readonly key: unknown; readonly value: unknown }[],
): readonly PatchRow[] {
  const first = changes[0]
  if (first !== undefined && changes.length === 1) return [encodeChange(first)]
  const last = new Map<BinaryKey, { readonly table: Table<unknown, unknown>; readonly value: unknown }>()
  for (const { table, key, value } of changes) last.set(table.prefix + table.encodeKey(key), { table, value })
  const rows: PatchRow[] = []
  for (const [rowKey, { table, value }] of last) rows.push(patchRow(rowKey, table, value))
  return rows
}

function encodeChange(change: { table: Table<unknown, unknown>; key: unknown; value: unknown }): PatchRow {
  return patchRow(change.table.prefix + change.table.encodeKey(change.key), change.table, change.value)
}

function patchRow(rowKey: BinaryKey, table: Table<unknown, unknown>, value: unknown): PatchRow {
  return { rowKey, value, bytes: value === undefined ? undefined : table.encode(value) }
}
