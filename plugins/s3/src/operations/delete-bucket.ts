import { noContent } from '../answer/answer.ts'
import { bucketOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html */
export const deleteBucket: Operation = {
  name: 'DeleteBucket',
  method: 'DELETE',
  level: 'bucket',
  query: [],
  parameters: [],
  headers: [],
  action: 'bucket:delete',
  notes: ['A bucket with uploads in progress is not empty.'],

  async handle(call) {
    await call.session.buckets.delete(bucketOf(call))
    return noContent(call)
  },
}
