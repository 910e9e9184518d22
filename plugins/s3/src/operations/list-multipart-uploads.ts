import type { ListedUploadEntry, Upload } from '@o3/protocol-bus/api'
import { documentAnswer } from '../answer/answer.ts'
import { listUploadsDocument } from '../core/xml/write-listing.ts'
import type { UploadRow } from '../core/xml/write-listing.ts'
import { ownerRow } from '../listing/list-objects-page.ts'
import { countOf, listParameters } from '../listing/list-parameters.ts'
import { checksumColumns } from '../objects/shown-checksums.ts'
import { bucketOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html */
export const listMultipartUploads: Operation = {
  name: 'ListMultipartUploads',
  method: 'GET',
  level: 'bucket',
  query: ['uploads'],
  parameters: ['delimiter', 'encoding-type', 'key-marker', 'max-uploads', 'prefix', 'upload-id-marker'],
  headers: [],
  action: 'bucket:list',

  async handle(call) {
    const { request, session } = call
    const parameters = listParameters(request)
    const maxUploads = countOf(request, 'max-uploads')
    const keyMarker = request.query.get('key-marker') ?? ''
    const uploadIdMarker = request.query.get('upload-id-marker') ?? ''
    const ref = bucketOf(call)
    const { items, truncated } = await session.uploads.list(ref, {
      prefix: parameters.prefix,
      delimiter: parameters.delimiter,
      keyMarker,
      // S3: without a key marker, an upload id marker is ignored.
      uploadIdMarker: keyMarker === '' ? '' : uploadIdMarker,
      limit: maxUploads,
    })
    const more = truncated && maxUploads > 0
    return documentAnswer(
      call,
      listUploadsDocument({
        bucket: ref.bucket,
        ...parameters,
        keyMarker,
        uploadIdMarker,
        ...(more ? nextMarkers(items.at(-1)) : {}),
        maxUploads,
        truncated: more,
        uploads: items.flatMap((item) => (item.kind === 'upload' ? [uploadRow(item.upload)] : [])),
        commonPrefixes: items.flatMap((item) => (item.kind === 'prefix' ? [item.prefix] : [])),
      }),
    )
  },
}

function nextMarkers(last: ListedUploadEntry | undefined): {
  readonly nextKeyMarker?: string
  readonly nextUploadIdMarker?: string
} {
  if (last === undefined) return {}
  if (last.kind === 'prefix') return { nextKeyMarker: last.prefix }
  return { nextKeyMarker: last.upload.key, nextUploadIdMarker: last.upload.id }
}

function uploadRow({ key, id, initiatedMs, owner, checksum }: Upload): UploadRow {
  return { key, uploadId: id, initiatedMs, owner: ownerRow(owner), ...checksumColumns(checksum) }
}
