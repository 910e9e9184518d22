import { noContent } from '../answer/answer.ts'
import { bucketOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html */
export const deleteBucketTagging: Operation = {
  name: 'DeleteBucketTagging',
  method: 'DELETE',
  level: 'bucket',
  query: ['tagging'],
  parameters: [],
  headers: [],
  action: 'bucket:update',

  async handle(call) {
    await call.session.buckets.update(bucketOf(call), { tags: {} })
    return noContent(call)
  },
}
