import type { KeyInfo } from '@o3/protocol-bus/api'
import { baseHeaders, documentAnswer } from '../answer/answer.ts'
import { invalidArgument, invalidRequest } from '../core/errors/s3-error.ts'
import { formatHttpDate } from '../core/request/http-date.ts'
import type { S3Request } from '../core/request/s3-request.ts'
import { objectAttributesDocument } from '../core/xml/write-result.ts'
import type { ObjectAttributesDocument } from '../core/xml/write-result.ts'
import { maxRows, parseCount } from '../listing/list-parameters.ts'
import { maxPartNumber } from '../objects/part-number.ts'
import { checksumOfPart, checksumOfWhole } from '../objects/shown-checksums.ts'
import { checkVersionId } from '../objects/version-id.ts'
import { keyOf } from './operation.ts'
import type { Operation } from './operation.ts'

const attributeNames = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'] as const
type AttributeName = (typeof attributeNames)[number]

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html */
export const getObjectAttributes: Operation = {
  name: 'GetObjectAttributes',
  method: 'GET',
  level: 'object',
  query: ['attributes'],
  parameters: ['versionId'],
  headers: ['x-amz-object-attributes', 'x-amz-max-parts', 'x-amz-part-number-marker'],
  action: 'key:read',

  async handle(call) {
    const { request, session } = call
    checkVersionId(request.query.get('versionId'))
    const wanted = wantedAttributes(request)
    const page = partsPage(request)
    const { info } = await session.keys.head(keyOf(call))
    const checksum = checksumOfWhole(info.checksum, info.parts?.length ?? 0)
    const parts = info.parts === undefined ? undefined : partsOf(info, page)
    const headers = baseHeaders(call)
    headers.push('last-modified', formatHttpDate(info.modifiedMs))
    return documentAnswer(
      call,
      objectAttributesDocument({
        ...(wanted.has('ETag') ? { etag: info.etag } : {}),
        ...(wanted.has('Checksum') && checksum !== undefined ? { checksum } : {}),
        ...(wanted.has('ObjectParts') && parts !== undefined ? { parts } : {}),
        ...(wanted.has('StorageClass') ? { storageClass: 'STANDARD' } : {}),
        ...(wanted.has('ObjectSize') ? { size: info.size } : {}),
      }),
      headers,
    )
  },
}

function wantedAttributes({ headers }: S3Request): ReadonlySet<AttributeName> {
  const value = headers.get('x-amz-object-attributes')
  if (value === undefined || value === '') {
    throw invalidRequest(
      'The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty',
    )
  }
  const wanted = new Set<AttributeName>()
  for (const name of value.split(',')) {
    const known = attributeNames.find((attribute) => attribute === name.trim())
    if (known === undefined) throw invalidArgument('Invalid attribute name specified.', 'x-amz-object-attributes', name)
    wanted.add(known)
  }
  return wanted
}

interface PartsPage {
  readonly marker: number
  readonly maxParts: number
}

function partsPage({ headers }: S3Request): PartsPage {
  const marker = headers.get('x-amz-part-number-marker')
  return {
    marker: marker === undefined ? 0 : parseCount(marker, 'x-amz-part-number-marker', maxPartNumber),
    maxParts: parseCount(headers.get('x-amz-max-parts'), 'x-amz-max-parts', maxRows),
  }
}

function partsOf(info: KeyInfo, { marker, maxParts }: PartsPage): NonNullable<ObjectAttributesDocument['parts']> {
  const parts = info.parts ?? []
  const algorithm = info.checksum?.algorithm
  const behind = parts.filter(({ number }) => number > marker)
  const shown = behind.slice(0, maxParts)
  const last = shown.at(-1)
  return {
    total: parts.length,
    partNumberMarker: marker,
    ...(last === undefined ? {} : { nextPartNumberMarker: last.number }),
    maxParts,
    truncated: behind.length > shown.length && maxParts > 0,
    // As in S3, the parts of an object without checksums are counted and not listed.
    rows:
      algorithm === undefined
        ? []
        : shown.map(({ number, size, checksum }) => ({
            number,
            size,
            ...(checksum === undefined ? {} : { checksum: checksumOfPart(algorithm, checksum) }),
          })),
  }
}
