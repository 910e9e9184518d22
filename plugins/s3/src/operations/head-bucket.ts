import { baseHeaders, emptyAnswer } from '../answer/answer.ts'
import { bucketOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html */
export const headBucket: Operation = {
  name: 'HeadBucket',
  method: 'HEAD',
  level: 'bucket',
  query: [],
  parameters: [],
  headers: [],
  action: 'bucket:read',

  async handle(call) {
    await call.session.buckets.info(bucketOf(call))
    const headers = baseHeaders(call)
    headers.push('x-amz-bucket-region', call.gateway.config.region, 'x-amz-access-point-alias', 'false')
    return emptyAnswer(headers)
  },
}
