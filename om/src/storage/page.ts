/** Pages of flat tables. */

import { StoreError } from '@o3/common/errors'
import type { BinaryKey } from '@o3/common/kv'
import type { Row, RowRange, StateView, Table } from '@o3/ratis/api'
import type { Page } from '../api/api.ts'
import { behind } from '../core/listing/selection.ts'
import { withCursor } from './cursors.ts'

const maxPage = 10_000

export const emptyPage: Page<never> = { items: [], truncated: false }

/** The limit, clipped. `InvalidArgument` for what is no count. */
export function pageLimit(limit: number): number {
  if (!Number.isSafeInteger(limit) || limit < 0) throw new StoreError('InvalidArgument', 'limit must be 0 or more')
  return Math.min(limit, maxPage)
}

/** The row keys with the prefix, strictly after `after`, all behind `under`. */
export function rangeAfter(under: BinaryKey, prefix: BinaryKey, after: BinaryKey): RowRange {
  const from = under + (after >= prefix && after !== '' ? `${after}\0` : prefix)
  const all = under + prefix
  return all === '' ? { from } : { from, to: behind(all) }
}

/** The first rows of the range, at most `limit`. */
export async function readPage<Key, Value>(
  view: StateView,
  table: Table<Key, Value>,
  range: RowRange,
  limit: number,
): Promise<Page<Row<Key, Value>>> {
  const most = pageLimit(limit)
  if (most === 0) return emptyPage
  return withCursor(view, { table, range }, async (cursor) => {
    const rows = await cursor.next(most + 1)
    return { items: rows.slice(0, most), truncated: rows.length > most }
  })
}
