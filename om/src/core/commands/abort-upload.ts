import { assert } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { isRefusal } from '../refusal.ts'
import { endUpload, findUpload, progressOf, uploadNotFound } from '../upload.ts'
import { charge } from '../usage.ts'
import { done } from './handler.ts'
import type { CommandOf } from './handler.ts'

const none: ReadonlySet<number> = new Set()

/** `BucketNotFound`, `InvalidName`, `KeyTooLong`, `UploadNotFound`. */
export function abortUpload(draft: Draft, command: CommandOf<'abort-upload'>): OmReply | Refusal {
  const found = findUpload(draft, command)
  if (isRefusal(found)) return found
  if (found.row === undefined) return uploadNotFound(command.upload)
  const { bytes } = progressOf(draft, command.upload)
  const refusal = charge(draft, found.bucket, { bytes: -bytes, keys: 0, uploads: -1 })
  assert(refusal === undefined, 'an abort is within every quota')
  endUpload(draft, found.key, none)
  return done
}
