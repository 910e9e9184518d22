import { noContent } from '../answer/answer.ts'
import { maxTaggingBytes, readTagging } from '../xml/read-tagging.ts'
import { accepted, bucketOf } from './operation.ts'
import type { Operation } from './operation.ts'
import { requestDocument } from './request-document.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html */
export const putBucketTagging: Operation = {
  name: 'PutBucketTagging',
  method: 'PUT',
  level: 'bucket',
  query: ['tagging'],
  parameters: [],
  headers: [],
  action: 'bucket:update',

  async handle(call) {
    const document = await requestDocument(call, { limit: maxTaggingBytes, digest: 'optional' })
    await call.session.buckets.update(bucketOf(call), { tags: accepted(readTagging(document, 'bucket')) })
    return noContent(call)
  },
}
