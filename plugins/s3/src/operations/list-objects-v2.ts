import { documentAnswer } from '../answer/answer.ts'
import { invalidArgument } from '../core/errors/s3-error.ts'
import { listObjectsV2Document } from '../core/xml/write-listing.ts'
import { continuationToken, nameOfToken } from '../listing/continuation-token.ts'
import { listObjectsPage, nameOf, objectRow } from '../listing/list-objects-page.ts'
import { bucketOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
export const listObjectsV2: Operation = {
  name: 'ListObjectsV2',
  method: 'GET',
  level: 'bucket',
  query: ['list-type'],
  parameters: ['continuation-token', 'delimiter', 'encoding-type', 'fetch-owner', 'max-keys', 'prefix', 'start-after'],
  headers: [],
  action: 'bucket:list',

  async handle(call) {
    const { query } = call.request
    const type = query.get('list-type') ?? ''
    if (type !== '2') throw invalidArgument('Invalid list type specified in request', 'list-type', type)
    const token = query.get('continuation-token')
    const startAfter = query.get('start-after')
    // An empty token is the one of the first page: clients of s3-tests send it.
    const after = token === undefined || token === '' ? (startAfter ?? '') : nameOfToken(token)
    const page = await listObjectsPage(call, after)
    const owner = query.get('fetch-owner')?.toLowerCase() === 'true' ? 'with-owner' : 'without-owner'
    return documentAnswer(
      call,
      listObjectsV2Document({
        bucket: bucketOf(call).bucket,
        prefix: page.prefix,
        delimiter: page.delimiter,
        maxKeys: page.maxKeys,
        encoding: page.encoding,
        truncated: page.truncated,
        objects: page.objects.map((key) => objectRow(key, owner)),
        commonPrefixes: page.commonPrefixes,
        ...(startAfter === undefined ? {} : { startAfter }),
        ...(token === undefined ? {} : { continuationToken: token }),
        ...(page.truncated && page.last !== undefined
          ? { nextContinuationToken: continuationToken(nameOf(page.last)) }
          : {}),
      }),
    )
  },
}
