import type { CopyOptions, KeyRef } from '@o3/protocol-bus/api'
import { patientAnswer } from '../answer/patient-answer.ts'
import { copyChecksum } from '../checksum/request-checksum.ts'
import { invalidArgument, invalidRequest } from '../core/errors/s3-error.ts'
import type { S3Request } from '../core/request/s3-request.ts'
import { copyObjectDocument } from '../core/xml/write-result.ts'
import { readConditions, writeConditionHeaders, writeConditions } from '../objects/conditions.ts'
import { copySourceHeaders, copySourceOf } from '../objects/copy-source.ts'
import { describedAttributes, requestedTags } from '../objects/requested-attributes.ts'
import { checksumOfWhole } from '../objects/shown-checksums.ts'
import { accepted, keyOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
export const copyObject: Operation = {
  name: 'CopyObject',
  method: 'PUT',
  level: 'object',
  query: [],
  header: 'x-amz-copy-source',
  parameters: [],
  headers: [
    ...copySourceHeaders,
    ...writeConditionHeaders,
    'x-amz-metadata-directive',
    'x-amz-tagging-directive',
    'x-amz-tagging',
    'x-amz-checksum-algorithm',
  ],
  action: ['key:read', 'key:write'],
  notes: [
    'Copies of any size, by reference: no data moves, and the ETag of the source stays, also that of a multipart upload.',
    'Onto itself it must change metadata, tags or the kind of checksum.',
  ],

  async handle(call) {
    const { request, session } = call
    const source = await copySourceOf(call)
    const target = keyOf(call)
    const metadata = directive(request, 'x-amz-metadata-directive', 'Unknown metadata directive.')
    const tagging = directive(request, 'x-amz-tagging-directive', 'Unknown tagging directive.')
    const checksum = accepted(copyChecksum(request.headers))
    const changes = metadata === 'replace' || tagging === 'replace' || checksum !== undefined
    if (!changes && same(source, target)) throw toItself()
    const sourceConditions = readConditions(request, 'x-amz-copy-source-')
    const options: CopyOptions = {
      ...(sourceConditions === undefined ? {} : { sourceConditions }),
      ...(checksum === undefined ? {} : { checksum }),
      attributes: {
        ...(metadata === 'replace' ? describedAttributes(request) : {}),
        ...(tagging === 'replace' ? { tags: requestedTags(request) } : {}),
      },
      preconditions: writeConditions(request),
    }
    return patientAnswer(call, async () => {
      const { etag, modifiedMs, info } = await session.keys.copy(source, target, options)
      const shown = checksumOfWhole(info.checksum, info.parts?.length ?? 0)
      return copyObjectDocument({ etag, modifiedMs, ...(shown === undefined ? {} : { checksum: shown }) })
    })
  },
}

function directive({ headers }: S3Request, name: string, unknown: string): 'copy' | 'replace' {
  const value = headers.get(name)
  switch (value?.toUpperCase()) {
    case undefined:
    case 'COPY':
      return 'copy'
    case 'REPLACE':
      return 'replace'
    default:
      throw invalidArgument(unknown, name, value ?? '')
  }
}

function same(a: KeyRef, b: KeyRef): boolean {
  return a.bucket === b.bucket && a.key === b.key
}

function toItself(): Error {
  return invalidRequest(
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
  )
}
