import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import { findBucket } from '../bucket.ts'
import type { Draft } from '../draft.ts'
import { checkAttributes } from '../limits.ts'
import { binaryKeyName } from '../names.ts'
import { isRefusal } from '../refusal.ts'
import { noBits } from '../rows/bits.ts'
import { uploadProgress, uploads } from '../rows/upload.ts'
import { charge } from '../usage.ts'
import type { CommandOf } from './handler.ts'

/** `BucketNotFound`, `InvalidName`, `KeyTooLong`, `TooLarge`, `InvalidArgument` (attributes). */
export function createUpload(draft: Draft, command: CommandOf<'create-upload'>): OmReply | Refusal {
  const { owner, attributes, checksum } = command
  const bucket = findBucket(draft, command)
  if (isRefusal(bucket)) return bucket
  const key = binaryKeyName(command.key)
  if (isRefusal(key)) return key
  const refusal = checkAttributes(owner, attributes) ?? charge(draft, bucket, { bytes: 0, keys: 0, uploads: 1 })
  if (refusal !== undefined) return refusal

  const { wallMs, sequence, nonce } = draft.stamp
  const upload = sequence.toString(16).padStart(14, '0') + nonce
  draft.put(uploads, { bucket: bucket.row.id, key, upload }, { owner, initiatedMs: wallMs, attributes, checksum })
  draft.put(uploadProgress, upload, { bytes: 0, parts: noBits(0) })
  return { kind: 'upload', upload, initiatedMs: wallMs }
}
