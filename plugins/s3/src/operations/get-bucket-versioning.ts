import { documentAnswer } from '../answer/answer.ts'
import { s3Document } from '../core/xml/text.ts'
import { bucketOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** Without a Status: versioning was never enabled. That is so for every bucket. */
const neverEnabled = s3Document('VersioningConfiguration', '')

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html */
export const getBucketVersioning: Operation = {
  name: 'GetBucketVersioning',
  method: 'GET',
  level: 'bucket',
  query: ['versioning'],
  parameters: [],
  headers: [],
  action: 'bucket:read',
  notes: ['Versioning cannot be enabled yet, so the answer is always the empty configuration.'],

  async handle(call) {
    await call.session.buckets.info(bucketOf(call))
    return documentAnswer(call, neverEnabled)
  },
}
