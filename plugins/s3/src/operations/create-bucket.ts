import { isStoreError } from '@o3/common/errors'
import { baseHeaders, emptyAnswer } from '../answer/answer.ts'
import { S3Error } from '../core/errors/s3-error.ts'
import { maxCreateBucketBytes, readCreateBucket } from '../xml/read-create-bucket.ts'
import { accepted, bucketOf } from './operation.ts'
import type { Call, Operation } from './operation.ts'
import { optionalDocument } from './request-document.ts'

/** The region that has no constraint, and in which one's own bucket may be created again. */
const defaultRegion = 'us-east-1'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html */
export const createBucket: Operation = {
  name: 'CreateBucket',
  method: 'PUT',
  level: 'bucket',
  query: [],
  parameters: [],
  headers: [],
  action: 'bucket:create',
  notes: [
    'A location constraint must be the region of the gateway, or absent.',
    "Where that region is us-east-1, to create one's own bucket again is answered 200, as there; elsewhere it is 409 BucketAlreadyOwnedByYou.",
  ],

  async handle(call) {
    const { gateway, session } = call
    const document = await optionalDocument(call, { limit: maxCreateBucketBytes, digest: 'optional' })
    const { locationConstraint, tags } = accepted(readCreateBucket(document))
    checkLocation(locationConstraint, gateway.config.region)
    const ref = bucketOf(call)
    try {
      await session.buckets.create(ref, { tags })
    } catch (error) {
      if (isStoreError(error, 'QuotaExceeded')) throw new S3Error('TooManyBuckets', { cause: error })
      if (!isStoreError(error, 'BucketAlreadyExists') || !(await isOwn(call))) throw error
      if (gateway.config.region !== defaultRegion) {
        throw new S3Error('BucketAlreadyOwnedByYou', { cause: error, elements: { BucketName: ref.bucket } })
      }
    }
    const headers = baseHeaders(call)
    headers.push('location', `/${ref.bucket}`)
    return emptyAnswer(headers)
  },
}

function checkLocation(constraint: string | undefined, region: string): void {
  if (constraint === undefined || constraint === region || (constraint === 'EU' && region === 'eu-west-1')) return
  if (!regionShape.test(constraint)) {
    throw new S3Error('InvalidLocationConstraint', { elements: { LocationConstraint: constraint } })
  }
  throw new S3Error('IllegalLocationConstraintException', {
    message: `The ${constraint} location constraint is incompatible for the region specific endpoint this request was sent to.`,
  })
}

/** `eu-west-1`: another region than ours, where anything else is none. */
const regionShape = /^[a-z]{2,}(-[a-z]+)+-\d+$/

async function isOwn(call: Call): Promise<boolean> {
  try {
    const { owner } = await call.session.buckets.info(bucketOf(call))
    return owner === call.session.principal.user
  } catch (error) {
    // Not one's own, or gone meanwhile: either way the name was taken a moment ago.
    if (isStoreError(error, 'AccessDenied', 'BucketNotFound')) return false
    throw error
  }
}
