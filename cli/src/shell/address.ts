/** `/volume`, `/volume/bucket`, `/volume/bucket/key`, where a key is all the rest, slashes included. */

import { StoreError } from '@o3/common/errors'
import type { BucketRef, KeyRef } from '@o3/plugin-native/client'

export function volumeAddress(text: string): string {
  const [volume, bucket] = split(text)
  if (volume === undefined || bucket !== undefined) throw wrong(text, '/volume')
  return volume
}

export function bucketAddress(text: string): BucketRef {
  const [volume, bucket, key] = split(text)
  if (volume === undefined || bucket === undefined || key !== undefined) throw wrong(text, '/volume/bucket')
  return { volume, bucket }
}

export function keyAddress(text: string): KeyRef {
  const [volume, bucket, key] = split(text)
  if (volume === undefined || bucket === undefined || key === undefined) throw wrong(text, '/volume/bucket/key')
  return { volume, bucket, key }
}

export function addressText(ref: BucketRef | KeyRef): string {
  return 'key' in ref ? `/${ref.volume}/${ref.bucket}/${ref.key}` : `/${ref.volume}/${ref.bucket}`
}

/** A slash at the end of a volume or bucket means nothing; in a key it is part of the name. */
function split(text: string): readonly (string | undefined)[] {
  const match = /^(?:o3:)?\/?\/?([^/]+)(?:\/([^/]+)(?:\/([\s\S]+))?)?\/?$/.exec(text)
  return match === null ? [] : [match[1], match[2], match[3] === undefined ? undefined : keyOf(text)]
}

/** Behind the second name, as it stands: the pattern's last slash may be part of the key. */
function keyOf(text: string): string {
  const path = text.replace(/^(?:o3:)?\/{0,2}/, '')
  const bucket = path.indexOf('/') + 1
  return path.slice(path.indexOf('/', bucket) + 1)
}

function wrong(text: string, form: string): StoreError {
  return new StoreError('InvalidArgument', `${text} is no address of this kind: write ${form}`)
}
