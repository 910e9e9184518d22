import { documentAnswer } from '../answer/answer.ts'
import { listObjectsDocument } from '../core/xml/write-listing.ts'
import { listObjectsPage, nameOf, objectRow } from '../listing/list-objects-page.ts'
import { bucketOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html */
export const listObjects: Operation = {
  name: 'ListObjects',
  method: 'GET',
  level: 'bucket',
  query: [],
  parameters: ['delimiter', 'encoding-type', 'marker', 'max-keys', 'prefix'],
  headers: [],
  action: 'bucket:list',

  async handle(call) {
    const marker = call.request.query.get('marker') ?? ''
    const page = await listObjectsPage(call, marker)
    // Without a delimiter the last key is the next marker, and S3 leaves clients to see that for themselves.
    const next = page.truncated && page.delimiter !== '' && page.last !== undefined ? nameOf(page.last) : undefined
    return documentAnswer(
      call,
      listObjectsDocument({
        bucket: bucketOf(call).bucket,
        prefix: page.prefix,
        delimiter: page.delimiter,
        maxKeys: page.maxKeys,
        encoding: page.encoding,
        truncated: page.truncated,
        objects: page.objects.map((key) => objectRow(key, 'with-owner')),
        commonPrefixes: page.commonPrefixes,
        marker,
        ...(next === undefined ? {} : { nextMarker: next }),
      }),
    )
  },
}
