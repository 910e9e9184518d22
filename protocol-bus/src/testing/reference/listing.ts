/** Listings by sorting everything that there is and leaving out what was not asked for. */

import { utf8ToBinary } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { Page } from '../../api/api.ts'

export const maxPage = 10_000

/** Order of the UTF-8 bytes, which is not the order of JavaScript strings. */
export function byteOrder(a: string, b: string): number {
  const [left, right] = [utf8ToBinary(a), utf8ToBinary(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

/** The first `limit` of what is there; `InvalidArgument` for a limit that is no count. */
export function firstPage<T>(items: readonly T[], limit: number): Page<T> {
  if (!Number.isSafeInteger(limit) || limit < 0) throw new StoreError('InvalidArgument', 'limit must be 0 or more')
  const shown = items.slice(0, Math.min(limit, maxPage))
  return { items: shown, truncated: limit > 0 && items.length > shown.length }
}

/** Names with the prefix, strictly after `after`, in byte order. */
export function namesAfter(
  names: Iterable<string>,
  options: { readonly prefix?: string; readonly after?: string },
): string[] {
  const { prefix = '', after = '' } = options
  return [...names]
    .filter((name) => name.startsWith(prefix) && (after === '' || byteOrder(name, after) > 0))
    .toSorted(byteOrder)
}

/**
 * The common prefix that `name` disappears into: up to and with the first delimiter behind the prefix. Undefined when it
 * is listed as itself.
 */
export function commonPrefix(name: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '') return undefined
  const at = name.indexOf(delimiter, prefix.length)
  return at === -1 ? undefined : name.slice(0, at + delimiter.length)
}
