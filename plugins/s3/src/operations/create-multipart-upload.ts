import { baseHeaders, documentAnswer } from '../answer/answer.ts'
import { checksumName, checksumTypeName } from '../checksum/algorithms.ts'
import { uploadChecksum } from '../checksum/request-checksum.ts'
import { initiateUploadDocument } from '../core/xml/write-result.ts'
import { describedAttributes, requestedTags } from '../objects/requested-attributes.ts'
import { accepted, keyOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html */
export const createMultipartUpload: Operation = {
  name: 'CreateMultipartUpload',
  method: 'POST',
  level: 'object',
  query: ['uploads'],
  parameters: [],
  headers: ['x-amz-tagging', 'x-amz-checksum-algorithm', 'x-amz-checksum-type'],
  action: 'key:write',
  notes: ['Without `x-amz-checksum-algorithm` the object gets no checksum; S3 gives it CRC64NVME.'],

  async handle(call) {
    const { request, session } = call
    const checksum = accepted(uploadChecksum(request.headers))
    const attributes = { ...describedAttributes(request), tags: requestedTags(request) }
    const ref = keyOf(call)
    const upload = await session.uploads.start(ref, { attributes, ...(checksum === undefined ? {} : { checksum }) })
    const headers = baseHeaders(call)
    if (checksum !== undefined) {
      headers.push('x-amz-checksum-algorithm', checksumName[checksum.algorithm])
      headers.push('x-amz-checksum-type', checksumTypeName[checksum.type])
    }
    return documentAnswer(
      call,
      initiateUploadDocument({ bucket: ref.bucket, key: ref.key, uploadId: upload.id }),
      headers,
    )
  },
}
