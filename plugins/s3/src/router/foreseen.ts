/** What a request is about to touch, told before anything of it is believed: a hint for the store, which grants nothing. */

import type { Foreseen } from '@o3/protocol-bus/api'
import { S3Error } from '../core/errors/s3-error.ts'
import { parseCopySource } from '../core/request/copy-source.ts'
import type { S3Request } from '../core/request/s3-request.ts'
import type { Operation } from '../operations/operation.ts'

type KeyPath = NonNullable<Foreseen['key']>

/** The bucket or volume that the request names; the object where it is read; the source of a copy; the upload. */
export function foreseenOf(request: S3Request, operation: Operation, volume: string): Foreseen {
  const { bucket, key } = request
  if (bucket === undefined) return { places: [{ volume }] }
  const place = { volume, bucket }
  if (key === undefined) return { places: [place] }
  const target = { volume, bucket, key }
  if (operation.action === 'key:read') return { places: [place], key: target }
  const upload = request.query.get('uploadId')
  const source = operation.header === 'x-amz-copy-source' ? sourceOf(request, volume) : undefined
  return {
    places: source === undefined || source.bucket === bucket ? [place] : [place, { volume, bucket: source.bucket }],
    ...(source === undefined ? undefined : { key: source }),
    ...(upload === undefined ? undefined : { upload: { ...target, upload } }),
  }
}

function sourceOf({ headers }: S3Request, volume: string): KeyPath | undefined {
  const source = parseCopySource(headers.get('x-amz-copy-source') ?? '')
  return source instanceof S3Error ? undefined : { volume, bucket: source.bucket, key: source.key }
}
