import { patientAnswer } from '../answer/patient-answer.ts'
import { parseCopyRange } from '../core/request/range.ts'
import { copyPartDocument } from '../core/xml/write-result.ts'
import { readConditions } from '../objects/conditions.ts'
import { copySourceHeaders, copySourceOf } from '../objects/copy-source.ts'
import { partNumberOf } from '../objects/part-number.ts'
import { checksumOfPart } from '../objects/shown-checksums.ts'
import { accepted, keyOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html */
export const uploadPartCopy: Operation = {
  name: 'UploadPartCopy',
  method: 'PUT',
  level: 'object',
  query: ['partNumber', 'uploadId'],
  header: 'x-amz-copy-source',
  parameters: [],
  headers: [...copySourceHeaders, 'x-amz-copy-source-range'],
  action: ['key:read', 'key:write'],
  notes: ['By reference, unless the upload has a checksum: then the bytes are read once.'],

  async handle(call) {
    const { request, session } = call
    const number = partNumberOf(request.query.get('partNumber') ?? '')
    const uploadId = request.query.get('uploadId') ?? ''
    const source = await copySourceOf(call)
    const rangeHeader = request.headers.get('x-amz-copy-source-range')
    const range = rangeHeader === undefined ? undefined : accepted(parseCopyRange(rangeHeader))
    const sourceConditions = readConditions(request, 'x-amz-copy-source-')
    return patientAnswer(call, async () => {
      const part = await session.uploads.copyPart(keyOf(call), uploadId, number, source, {
        ...(range === undefined ? {} : { range }),
        ...(sourceConditions === undefined ? {} : { sourceConditions }),
      })
      const { etag, modifiedMs, checksum } = part
      return copyPartDocument({
        etag,
        modifiedMs,
        ...(checksum === undefined ? {} : { checksum: checksumOfPart(checksum.algorithm, checksum.value) }),
      })
    })
  },
}
