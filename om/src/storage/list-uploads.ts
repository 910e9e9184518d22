import { binaryToUtf8, u64Key, utf8ToBinary } from '@o3/common/codec'
import type { BinaryKey } from '@o3/common/kv'
import type { Row, StateView } from '@o3/ratis/api'
import type { BucketId, ListUploadsQuery, ListedUpload, Page } from '../api/api.ts'
import { behind, judgeKey, startOf } from '../core/listing/selection.ts'
import type { Selection, Verdict } from '../core/listing/selection.ts'
import { uploadOf } from '../core/records.ts'
import { uploads, uploadsFrom } from '../core/rows/upload.ts'
import type { UploadKey, UploadRow } from '../core/rows/upload.ts'
import { withCursor } from './cursors.ts'
import { emptyPage, pageLimit } from './page.ts'

type ListQuery = Omit<ListUploadsQuery, 'volume' | 'bucket'>
type UploadsRow = Row<UploadKey, UploadRow>

/** Rows that a common prefix covers are jumped over, so little is read ahead where there may be one. */
const batchWithDelimiter = 32

/** One page of the uploads in progress from one snapshot, in the order of key and initiation. */
export async function listUploads(view: StateView, bucket: BucketId, query: ListQuery): Promise<Page<ListedUpload>> {
  const limit = pageLimit(query.limit)
  if (limit === 0) return emptyPage
  const selection = {
    prefix: utf8ToBinary(query.prefix),
    delimiter: utf8ToBinary(query.delimiter),
    after: utf8ToBinary(query.keyMarker),
  }
  const to = selection.prefix === '' ? u64Key(bucket + 1) : uploadsFrom(bucket, behind(selection.prefix))
  const range = { from: uploadsFrom(bucket, startOf(selection)), to }
  const batch = selection.delimiter === '' ? limit + 1 : batchWithDelimiter
  const items: ListedUpload[] = []
  return withCursor(view, { table: uploads, range }, async (cursor) => {
    for (let rows = await cursor.next(batch); rows.length > 0; rows = await cursor.next(batch)) {
      const jump = collect(items, limit, rows, (row) => judge(selection, query.uploadIdMarker, row))
      if (items.length > limit) return { items: items.slice(0, limit), truncated: true }
      if (jump !== undefined) cursor.seek(uploadsFrom(bucket, behind(jump)))
    }
    return { items, truncated: false }
  })
}

/**
 * Adds what is listed of these rows, until there is one more than the page holds. Answers the common prefix that covers
 * the rest of them, where one does.
 */
function collect(
  items: ListedUpload[],
  limit: number,
  rows: readonly UploadsRow[],
  judgeRow: (row: UploadsRow) => Verdict,
): BinaryKey | undefined {
  for (const row of rows) {
    if (items.length > limit) return undefined
    const verdict = judgeRow(row)
    const listed = listedOf(verdict, row)
    if (listed !== undefined) items.push(listed)
    if ('prefix' in verdict) return verdict.prefix
  }
  return undefined
}

/** As for keys, but that the marker's own key goes on behind the upload of the second marker. */
function judge(selection: Selection, uploadIdMarker: string, { key }: UploadsRow): Verdict {
  const verdict = judgeKey(selection, key.key)
  const resumed = verdict.kind === 'pass' && key.key === selection.after && uploadIdMarker !== ''
  return resumed && key.upload > uploadIdMarker ? { kind: 'take' } : verdict
}

function listedOf(verdict: Verdict, { key, value }: UploadsRow): ListedUpload | undefined {
  if (verdict.kind === 'group') return { kind: 'prefix', prefix: binaryToUtf8(verdict.prefix) }
  return verdict.kind === 'take' ? { kind: 'upload', upload: uploadOf(key.upload, key.key, value) } : undefined
}
