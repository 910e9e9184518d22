import { binaryToUtf8, utf8ToBinary } from '@o3/common/codec'
import type { BinaryKey } from '@o3/common/kv'
import type { StateView } from '@o3/ratis/api'
import type { BucketId, ListKeysQuery, ListedEntry, Page } from '../api/api.ts'
import { judgeDirectory, judgeKey, behind, startOf } from '../core/listing/selection.ts'
import type { Selection, Verdict } from '../core/listing/selection.ts'
import { keySummaryOf } from '../core/records.ts'
import { emptyPage, pageLimit } from './page.ts'
import { TreeCursor } from './tree-cursor.ts'
import type { TreeEntry } from './tree-cursor.ts'

/** One page of a bucket's keys from one snapshot: O(limit + directories entered), whatever else the bucket holds. */
export async function listKeys(
  view: StateView,
  bucket: BucketId,
  query: Omit<ListKeysQuery, 'volume' | 'bucket'>,
): Promise<Page<ListedEntry>> {
  const limit = pageLimit(query.limit)
  if (limit === 0) return emptyPage
  const selection = {
    prefix: utf8ToBinary(query.prefix),
    delimiter: utf8ToBinary(query.delimiter),
    after: utf8ToBinary(query.after),
  }
  const cursor = await TreeCursor.open(view, bucket, selection.prefix, firstBatchOf(selection, limit))
  await cursor.seek(startOf(selection))

  const items: ListedEntry[] = []
  for (;;) {
    const entry = cursor.take()
    if (entry === undefined) {
      if (await cursor.fill()) continue
      return { items, truncated: false }
    }
    const verdict = judge(selection, entry)
    const listed = listedOf(verdict, entry)
    if (listed !== undefined) {
      if (items.length === limit) return { items, truncated: true }
      items.push(listed)
    }
    if (verdict.kind === 'descend') cursor.descend()
    else if ('prefix' in verdict && !coversAll(entry, verdict.prefix)) await cursor.seek(behind(verdict.prefix))
  }
}

/**
 * Without a delimiter, or with the one that the tree is cut at, every row of a directory becomes an entry of the page, but
 * for the marker's own; and one more says whether the page is the last.
 */
function firstBatchOf({ delimiter }: Selection, limit: number): number {
  return delimiter === '' || delimiter === '/' ? limit + 2 : 1
}

/** Whether the cursor, behind the entry, is behind everything that starts with `prefix`: then there is nothing to jump. */
function coversAll({ path, row }: TreeEntry, prefix: BinaryKey): boolean {
  return row.kind === 'directory' && path === prefix
}

function judge(selection: Selection, { path, row }: TreeEntry): Verdict {
  return row.kind === 'leaf' ? judgeKey(selection, path) : judgeDirectory(selection, path)
}

function listedOf(verdict: Verdict, { path, row }: TreeEntry): ListedEntry | undefined {
  if (verdict.kind === 'group') return { kind: 'prefix', prefix: binaryToUtf8(verdict.prefix) }
  if (verdict.kind !== 'take' || row.kind !== 'leaf') return undefined
  return { kind: 'key', key: keySummaryOf(binaryToUtf8(path), row) }
}
