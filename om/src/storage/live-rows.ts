import type { ReplicatedStore, StateView, Table } from '@o3/ratis/api'
import type { OmCommand, OmReply } from '../api/api.ts'
import type { RowView } from '../core/row-view.ts'

type Store = Pick<ReplicatedStore<OmCommand, OmReply>, 'get' | 'read' | 'status'>
type Read<Argument, Result> = (rows: RowView, argument: Argument) => Result

/** The deepest key has 1,024 components; a read that has missed more rows in memory takes a snapshot instead. */
const maxMisses = 2048

/** Ends a read whose row is not in memory. Made once: no stack is ever needed. */
const notInMemory = new Error('a row is not in memory')

/**
 * Runs a read over the applied rows, linearizably. When the leader has all of them in memory, and may answer without asking
 * its group, it is one synchronous moment, and so is the answer. When a row is missing it is fetched and the read begins
 * anew: what is answered always comes from a single moment, and a rename between two fetches cannot show a key where it
 * never was.
 *
 * A member that must ask the group before each row never has such a moment: a follower, or a leader whose lease has run out.
 * It asks once, and reads a snapshot.
 *
 * `read` must keep nothing between its runs. `NotLeader` when there is no leader to ask.
 */
export function readLive<Argument, Result>(
  store: Store,
  read: Read<Argument, Result>,
  argument: Argument,
): Result | Promise<Result> {
  const rows = new LiveRows(store)
  try {
    return read(rows, argument)
  } catch (error) {
    if (error !== notInMemory) throw error
    return readWithFetches(rows, { store, read, argument })
  }
}

interface Question<Argument, Result> {
  readonly store: Store
  readonly read: Read<Argument, Result>
  readonly argument: Argument
}

async function readWithFetches<Argument, Result>(
  rows: LiveRows,
  question: Question<Argument, Result>,
): Promise<Result> {
  const { store, read, argument } = question
  for (let misses = 1; misses < maxMisses && store.status().role === 'leader'; misses++) {
    const { missed } = rows
    await rows.fetched
    try {
      return read(rows, argument)
    } catch (error) {
      if (error !== notInMemory) throw error
    }
    // It was there a moment ago. Either the store does not answer at once, or its cache is too small for this read.
    if (rows.missed === missed) break
  }
  const answer = readSnapshot(question)
  // The last fetch is not needed any more, but its failure must be somebody's. It has asked the group, as this read does,
  // so waiting for it costs nothing.
  await Promise.allSettled([rows.fetched, answer])
  return answer
}

function readSnapshot<Argument, Result>({ store, read, argument }: Question<Argument, Result>): Promise<Result> {
  return store.read(async (view) => {
    const rows = new FetchedRows(view)
    for (;;) {
      try {
        return read(rows, argument)
      } catch (error) {
        if (error !== notInMemory) throw error
      }
      await rows.fetch()
    }
  })
}

/** Rows as the store has them in memory now. */
class LiveRows implements RowView {
  /** The row that the last run missed, by its name in the store. */
  missed: string | undefined
  fetched: Promise<unknown> | undefined
  private readonly store: Store

  constructor(store: Store) {
    this.store = store
  }

  get<Key, Value>(table: Table<Key, Value>, key: Key): Value | undefined {
    const row = this.store.get(table, key)
    if (!(row instanceof Promise)) return row
    this.missed = nameOf(table, key)
    this.fetched = row
    throw notInMemory
  }
}

/** Rows of a snapshot, as many as were asked for so far: each run of a read asks for one more. */
class FetchedRows implements RowView {
  private readonly view: StateView
  private readonly rows = new Map<string, unknown>()
  private missed: (() => Promise<void>) | undefined

  constructor(view: StateView) {
    this.view = view
  }

  get<Key, Value>(table: Table<Key, Value>, key: Key): Value | undefined {
    const name = nameOf(table, key)
    // Only what the same table decoded was put under its prefix.
    if (this.rows.has(name)) return this.rows.get(name) as Value | undefined
    this.missed = async () => void this.rows.set(name, await this.view.get(table, key))
    throw notInMemory
  }

  /** Brings the row that the last run missed. */
  async fetch(): Promise<void> {
    await this.missed?.()
  }
}

function nameOf<Key, Value>(table: Table<Key, Value>, key: Key): string {
  return table.prefix + table.encodeKey(key)
}
