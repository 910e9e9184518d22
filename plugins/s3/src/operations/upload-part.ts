import type { Checksum } from '@o3/protocol-bus/api'
import { baseHeaders, emptyAnswer } from '../answer/answer.ts'
import { decodeBody } from '../body/decode-body.ts'
import { checksumHeader } from '../checksum/algorithms.ts'
import { partNumberOf } from '../objects/part-number.ts'
import { keyOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html */
export const uploadPart: Operation = {
  name: 'UploadPart',
  method: 'PUT',
  level: 'object',
  query: ['partNumber', 'uploadId'],
  parameters: [],
  headers: [],
  action: 'key:write',
  notes: [
    'A part that brings no checksum to an upload that has one gets it computed, where S3 refuses the part.',
    'At most 5 GiB.',
  ],

  async handle(call) {
    const { request, session } = call
    const number = partNumberOf(request.query.get('partNumber') ?? '')
    const uploadId = request.query.get('uploadId') ?? ''
    const ref = keyOf(call)
    const upload = await session.uploads.info(ref, uploadId)
    const decoded = await decodeBody(
      call.body,
      request,
      call.authenticated,
      upload.checksum === undefined ? {} : { checksum: upload.checksum.algorithm },
    )
    let checksum: Checksum | undefined
    const part = await session.uploads.putPart(ref, uploadId, number, decoded.source, {
      ...(decoded.size === undefined ? {} : { size: decoded.size }),
      digests: decoded.digests,
      finish(digests, size) {
        const checked = decoded.check(digests, size)
        checksum = checked.checksum
        return checked
      },
      ...(decoded.source instanceof Uint8Array ? undefined : { signal: call.signal }),
    })
    const headers = baseHeaders(call)
    headers.push('etag', `"${part.etag}"`)
    if (checksum !== undefined) headers.push(checksumHeader[checksum.algorithm], checksum.value)
    return emptyAnswer(headers)
  },
}
