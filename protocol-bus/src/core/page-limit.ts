/** How long a page of a listing may be. */

import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'

/** More than this is not refused: a page is never promised to be as long as was asked for. */
export const maxPageItems = 10_000

/** The limit to use; `InvalidArgument` for what is no count. */
export function pageLimit(asked: number): number | Refusal {
  if (!Number.isSafeInteger(asked) || asked < 0) return refuse('InvalidArgument', 'limit is a count of 0 or more')
  return Math.min(asked, maxPageItems)
}
