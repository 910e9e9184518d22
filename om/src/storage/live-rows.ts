import { StoreError } from '@o3/common/errors'
import type { ReplicatedStore, Table } from '@o3/ratis/api'
import type { OmCommand, OmReply } from '../api/api.ts'
import type { RowView } from '../core/row-view.ts'

type Store = Pick<ReplicatedStore<OmCommand, OmReply>, 'get'>

/** Every read begins anew after a row that was not in memory; the deepest key has 1,024 components. */
const maxFetches = 4096

/** Ends a read whose row is not in memory. Made once: no stack is ever needed. */
const notInMemory = new Error('a row is not in memory')

/**
 * Runs a read over the applied rows. When all are in memory it is one synchronous moment, and so is its answer. When one
 * is not, it is fetched and the read begins anew: what is answered always comes from a single moment, and a rename between
 * two fetches cannot show a key where it never was.
 *
 * `read` must keep nothing between its runs. `Busy` when the cache is so small that it never holds the rows of one read.
 */
export function readLive<Argument, Result>(
  store: Store,
  read: (rows: RowView, argument: Argument) => Result,
  argument: Argument,
): Result | Promise<Result> {
  const rows = new LiveRows(store)
  try {
    return read(rows, argument)
  } catch (error) {
    if (error !== notInMemory) throw error
    return readAfterFetches(rows, read, argument)
  }
}

async function readAfterFetches<Argument, Result>(
  rows: LiveRows,
  read: (rows: RowView, argument: Argument) => Result,
  argument: Argument,
): Promise<Result> {
  for (let fetches = 0; fetches < maxFetches; fetches++) {
    await rows.fetched
    try {
      return read(rows, argument)
    } catch (error) {
      if (error !== notInMemory) throw error
    }
  }
  throw new StoreError('Busy', 'the rows of one read do not stay in memory together')
}

class LiveRows implements RowView {
  /** The row that the last run missed. */
  fetched: Promise<unknown> | undefined
  private readonly store: Store

  constructor(store: Store) {
    this.store = store
  }

  get<Key, Value>(table: Table<Key, Value>, key: Key): Value | undefined {
    const row = this.store.get(table, key)
    if (!(row instanceof Promise)) return row
    this.fetched = row
    throw notInMemory
  }
}
