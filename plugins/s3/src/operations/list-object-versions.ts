import { documentAnswer } from '../answer/answer.ts'
import { invalidArgument } from '../core/errors/s3-error.ts'
import { listObjectsPage, nameOf, objectRow } from '../listing/list-objects-page.ts'
import { listVersionsDocument } from '../listing/versions-document.ts'
import { bucketOf } from './operation.ts'
import type { Operation } from './operation.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html */
export const listObjectVersions: Operation = {
  name: 'ListObjectVersions',
  method: 'GET',
  level: 'bucket',
  query: ['versions'],
  parameters: ['delimiter', 'encoding-type', 'key-marker', 'max-keys', 'prefix', 'version-id-marker'],
  headers: [],
  action: 'bucket:list',
  notes: ['Every object is its own latest version, `null`.'],

  async handle(call) {
    const { query } = call.request
    const keyMarker = query.get('key-marker') ?? ''
    const versionIdMarker = query.get('version-id-marker') ?? ''
    if (versionIdMarker !== '' && keyMarker === '') {
      throw invalidArgument(
        'A version-id marker cannot be specified without a key marker.',
        'version-id-marker',
        versionIdMarker,
      )
    }
    // A key has one version, so whatever the version marker is, what follows is the next key.
    const page = await listObjectsPage(call, keyMarker)
    const next = page.truncated ? page.last : undefined
    return documentAnswer(
      call,
      listVersionsDocument({
        bucket: bucketOf(call).bucket,
        prefix: page.prefix,
        delimiter: page.delimiter,
        keyMarker,
        versionIdMarker,
        ...(next === undefined ? {} : { nextKeyMarker: nameOf(next) }),
        ...(next?.kind === 'key' ? { nextVersionIdMarker: 'null' } : {}),
        maxKeys: page.maxKeys,
        encoding: page.encoding,
        truncated: page.truncated,
        versions: page.objects.map((key) => objectRow(key, 'with-owner')),
        commonPrefixes: page.commonPrefixes,
      }),
    )
  },
}
