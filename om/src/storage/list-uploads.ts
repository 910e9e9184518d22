import { binaryToUtf8, u64Key, utf8ToBinary } from '@o3/common/codec'
import type { Row, StateView } from '@o3/ratis/api'
import type { BucketId, ListUploadsQuery, ListedUpload, Page } from '../api/api.ts'
import { behind, judgeKey, startOf } from '../core/listing/selection.ts'
import type { Selection, Verdict } from '../core/listing/selection.ts'
import { uploadOf } from '../core/records.ts'
import { uploads, uploadsFrom } from '../core/rows/upload.ts'
import type { UploadKey, UploadRow } from '../core/rows/upload.ts'
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
  const cursor = view.cursor(uploads, { from: uploadsFrom(bucket, startOf(selection)), to })
  const batch = selection.delimiter === '' ? limit + 1 : batchWithDelimiter
  const items: ListedUpload[] = []
  try {
    for (let rows = await cursor.next(batch); rows.length > 0; rows = await cursor.next(batch)) {
      for (const row of rows) {
        const verdict = judge(selection, query.uploadIdMarker, row)
        const listed = listedOf(verdict, row)
        if (listed !== undefined && items.length === limit) return { items, truncated: true }
        if (listed !== undefined) items.push(listed)
        if ('prefix' in verdict) {
          cursor.seek(uploadsFrom(bucket, behind(verdict.prefix)))
          break
        }
      }
    }
    return { items, truncated: false }
  } finally {
    await cursor.close()
  }
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
