import { documentAnswer } from '../answer/answer.ts'
import { checksumElement } from '../checksum/algorithms.ts'
import type { PartInfo } from '@o3/protocol-bus/api'
import { listPartsDocument } from '../core/xml/write-listing.ts'
import type { PartRow } from '../core/xml/write-listing.ts'
import { ownerRow } from '../listing/list-objects-page.ts'
import { countOf, listParameters } from '../listing/list-parameters.ts'
import { checksumColumns } from '../objects/shown-checksums.ts'
import { maxPartNumber } from '../objects/part-number.ts'
import { keyOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html */
export const listParts: Operation = {
  name: 'ListParts',
  method: 'GET',
  level: 'object',
  query: ['uploadId'],
  parameters: ['encoding-type', 'max-parts', 'part-number-marker'],
  headers: [],
  action: 'key:write',

  async handle(call) {
    const { request, session } = call
    const ref = keyOf(call)
    const uploadId = request.query.get('uploadId') ?? ''
    const maxParts = countOf(request, 'max-parts')
    const marker = request.query.has('part-number-marker') ? countOf(request, 'part-number-marker', maxPartNumber) : 0
    const upload = await session.uploads.info(ref, uploadId)
    const { items, truncated } = await session.uploads.parts(ref, uploadId, { after: marker, limit: maxParts })
    const last = items.at(-1)
    return documentAnswer(
      call,
      listPartsDocument({
        bucket: ref.bucket,
        key: ref.key,
        uploadId,
        owner: ownerRow(upload.owner),
        partNumberMarker: marker,
        ...(last === undefined ? {} : { nextPartNumberMarker: last.number }),
        maxParts,
        encoding: listParameters(request).encoding,
        truncated: truncated && maxParts > 0,
        parts: items.map(partRow),
        ...checksumColumns(upload.checksum),
      }),
    )
  },
}

function partRow({ number, modifiedMs, etag, size, checksum }: PartInfo): PartRow {
  const row = { number, modifiedMs, etag, size }
  if (checksum === undefined) return row
  return { ...row, checksum: { element: checksumElement[checksum.algorithm], value: checksum.value } }
}
