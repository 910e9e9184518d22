/** `x-amz-copy-source`: `/bucket/key` or `bucket/key`, percent-encoded, perhaps with `?versionId=`. */

import { invalidArgument, S3Error } from '../errors/s3-error.ts'
import { parsePathStyle } from './address.ts'
import { textOfHeader } from './header-text.ts'

export interface CopySource {
  readonly bucket: string
  readonly key: string
  readonly versionId?: string
}

const versionMark = '?versionId='

/** Names are read as those of a path are. A `?` that does not start a version id belongs to the key. */
export function parseCopySource(value: string): CopySource | S3Error {
  const text = textOfHeader(value)
  const mark = text.lastIndexOf(versionMark)
  const path = mark < 0 ? text : text.slice(0, mark)
  const source = parsePathStyle(path.startsWith('/') ? path : `/${path}`)
  if (source instanceof S3Error || source.bucket === undefined || source.key === undefined) {
    return invalidArgument(
      'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
      'x-amz-copy-source',
      value,
    )
  }
  const { bucket, key } = source
  return mark < 0 ? { bucket, key } : { bucket, key, versionId: text.slice(mark + versionMark.length) }
}
