import type { Row, RowCursor, RowRange, StateView, Table } from '@o3/ratis/api'

const batchRows = 1_000

/** Opens a cursor for as long as `use` runs. */
export async function withCursor<Key, Value, Result>(
  view: StateView,
  place: { readonly table: Table<Key, Value>; readonly range: RowRange },
  use: (cursor: RowCursor<Key, Value>) => Promise<Result>,
): Promise<Result> {
  const cursor = view.cursor(place.table, place.range)
  try {
    return await use(cursor)
  } finally {
    await cursor.close()
  }
}

/** Calls `visit` with every row of the range, in order, until it says `stop`. */
export function scanRows<Key, Value>(
  view: StateView,
  place: { readonly table: Table<Key, Value>; readonly range: RowRange },
  visit: (row: Row<Key, Value>) => 'stop' | undefined,
): Promise<void> {
  return withCursor(view, place, async (cursor) => {
    for (let rows = await cursor.next(batchRows); rows.length > 0; rows = await cursor.next(batchRows)) {
      if (rows.some((row) => visit(row) === 'stop')) return
    }
  })
}
