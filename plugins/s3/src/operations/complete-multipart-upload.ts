import { isStoreError, StoreError } from '@o3/common/errors'
import type { Checksum, KeyRef, PartInfo, Upload } from '@o3/protocol-bus/api'
import { patientAnswer } from '../answer/patient-answer.ts'
import { multipartChecksum, multipartEtag } from '../checksum/multipart.ts'
import { wholeChecksum } from '../checksum/request-checksum.ts'
import { checksumName, checksumTypeName } from '../checksum/algorithms.ts'
import { invalidArgument, invalidRequest, S3Error } from '../core/errors/s3-error.ts'
import { parseDecimal } from '../core/request/decimal.ts'
import { encodePath } from '../core/request/percent.ts'
import type { S3Request } from '../core/request/s3-request.ts'
import { completeUploadDocument } from '../core/xml/write-result.ts'
import { writeConditionHeaders, writeConditions } from '../objects/conditions.ts'
import { checksumOfWhole } from '../objects/shown-checksums.ts'
import { maxCompleteBytes, readComplete } from '../xml/read-complete.ts'
import type { CompletedPart } from '../xml/read-complete.ts'
import { accepted, keyOf } from './operation.ts'
import type { Call, Operation } from './operation.ts'
import { optionalDocument } from './request-document.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html */
export const completeMultipartUpload: Operation = {
  name: 'CompleteMultipartUpload',
  method: 'POST',
  level: 'object',
  query: ['uploadId'],
  parameters: [],
  headers: [...writeConditionHeaders, 'x-amz-checksum-type', 'x-amz-mp-object-size'],
  action: 'key:write',
  notes: [
    'A list that names only some of the uploaded parts makes the object of those.',
    'Parts that are named without their checksum are accepted: each was verified when it came.',
  ],

  async handle(call) {
    const { request, session, gateway } = call
    const uploadId = request.query.get('uploadId') ?? ''
    const preconditions = writeConditions(request)
    const expected = expectedWhole(request)
    const document = await optionalDocument(call, { limit: maxCompleteBytes, digest: 'of-object' })
    const parts = accepted(readComplete(document))
    const ref = keyOf(call)
    return patientAnswer(call, async () => {
      const upload = await uploadOf(call, ref, uploadId)
      let checksum: Checksum | undefined
      const { etag } = await session.uploads.complete(
        ref,
        uploadId,
        parts.map((part) => namedPart(part, upload)),
        {
          finish(stored) {
            const whole = wholeOf(stored, upload, uploadId)
            checkWhole(expected, stored, whole.checksum)
            checksum = whole.checksum
            return whole
          },
          preconditions,
          minPartBytes: gateway.config.minPartBytes,
        },
      )
      const shown = checksumOfWhole(checksum, parts.length)
      return completeUploadDocument({
        location: locationOf(request, ref),
        bucket: ref.bucket,
        key: ref.key,
        etag,
        ...(shown === undefined ? {} : { checksum: shown }),
      })
    })
  },
}

/** Undefined where the upload is no more: then this may be the repetition of a request that it was completed by. */
async function uploadOf({ session }: Call, ref: KeyRef, uploadId: string): Promise<Upload | undefined> {
  try {
    return await session.uploads.info(ref, uploadId)
  } catch (error) {
    if (isStoreError(error, 'UploadNotFound')) return undefined
    throw error
  }
}

function namedPart(
  { number, etag, checksums }: CompletedPart,
  upload: Upload | undefined,
): { readonly number: number; readonly etag: string; readonly checksum?: string } {
  const checksum = upload?.checksum === undefined ? Object.values(checksums)[0] : checksums[upload.checksum.algorithm]
  return checksum === undefined ? { number, etag } : { number, etag, checksum }
}

interface Whole {
  readonly etag: string
  readonly checksum?: Checksum
}

function wholeOf(stored: readonly PartInfo[], upload: Upload | undefined, uploadId: string): Whole {
  if (upload === undefined) throw new StoreError('UploadNotFound', 'no such upload', { details: { upload: uploadId } })
  const etag = multipartEtag(stored.map((part) => part.etag))
  if (upload.checksum === undefined) return { etag }
  const { algorithm, type } = upload.checksum
  const values = stored.map(({ size, checksum }) => ({ size, value: checksum?.value ?? '' }))
  return { etag, checksum: multipartChecksum(algorithm, type, values) }
}

interface Expected {
  readonly size: number | undefined
  readonly checksum: Exclude<ReturnType<typeof wholeChecksum>, S3Error>
}

/** What the client says that the object will be. */
function expectedWhole({ headers }: S3Request): Expected {
  const size = headers.get('x-amz-mp-object-size')
  const bytes = size === undefined ? undefined : parseDecimal(size)
  if (size !== undefined && bytes === undefined) {
    throw invalidArgument('Value for x-amz-mp-object-size header is invalid', 'x-amz-mp-object-size', size)
  }
  return { size: bytes, checksum: accepted(wholeChecksum(headers)) }
}

/** Before anything is committed: an object that is not what its writer thinks it is does not come to be. */
function checkWhole(expected: Expected, stored: readonly PartInfo[], checksum: Checksum | undefined): void {
  const size = stored.reduce((sum, part) => sum + part.size, 0)
  if (expected.size !== undefined && expected.size !== size) {
    throw invalidRequest(
      `The provided 'x-amz-mp-object-size' header value ${expected.size} does not match what was computed: ${size}`,
    )
  }
  const promised = expected.checksum
  if (promised === undefined) return
  if (promised.type !== undefined && promised.type !== checksum?.type) {
    throw invalidRequest(
      `The upload was created using the ${nameOfType(checksum)} checksum mode. The complete request must use the same checksum mode.`,
    )
  }
  if (promised.algorithm === undefined) return
  if (checksum?.algorithm === promised.algorithm && checksum.value === promised.value) return
  throw new S3Error('BadDigest', {
    message: `The ${checksumName[promised.algorithm]} you specified did not match the calculated checksum.`,
  })
}

function nameOfType(checksum: Checksum | undefined): string {
  return checksum === undefined ? 'null' : checksumTypeName[checksum.type]
}

function locationOf({ host, style }: S3Request, { bucket, key }: KeyRef): string {
  const path = encodePath(style === 'path' ? `${bucket}/${key}` : key)
  return `http://${host}/${path}`
}
