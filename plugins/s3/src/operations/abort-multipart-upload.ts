import { noContent } from '../answer/answer.ts'
import { keyOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html */
export const abortMultipartUpload: Operation = {
  name: 'AbortMultipartUpload',
  method: 'DELETE',
  level: 'object',
  query: ['uploadId'],
  parameters: [],
  headers: [],
  action: 'key:write',

  async handle(call) {
    await call.session.uploads.abort(keyOf(call), call.request.query.get('uploadId') ?? '')
    return noContent(call)
  },
}
