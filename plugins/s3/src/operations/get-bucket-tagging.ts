import { documentAnswer } from '../answer/answer.ts'
import { S3Error } from '../core/errors/s3-error.ts'
import { taggingDocument } from '../core/xml/write-result.ts'
import { bucketOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html */
export const getBucketTagging: Operation = {
  name: 'GetBucketTagging',
  method: 'GET',
  level: 'bucket',
  query: ['tagging'],
  parameters: [],
  headers: [],
  action: 'bucket:read',

  async handle(call) {
    const { name, tags } = await call.session.buckets.info(bucketOf(call))
    if (Object.keys(tags).length === 0) throw new S3Error('NoSuchTagSet', { elements: { BucketName: name } })
    return documentAnswer(call, taggingDocument(tags))
  },
}
