import { documentAnswer } from '../answer/answer.ts'
import { locationDocument } from '../core/xml/write-result.ts'
import { bucketOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html */
export const getBucketLocation: Operation = {
  name: 'GetBucketLocation',
  method: 'GET',
  level: 'bucket',
  query: ['location'],
  parameters: [],
  headers: [],
  action: 'bucket:read',

  async handle(call) {
    await call.session.buckets.info(bucketOf(call))
    return documentAnswer(call, locationDocument(call.gateway.config.region))
  },
}
