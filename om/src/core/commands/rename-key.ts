import { binaryToUtf8 } from '@o3/common/codec'
import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { BinaryKey } from '@o3/common/kv'
import { maxKeyBytes } from '../../api/api.ts'
import type { OmReply } from '../../api/api.ts'
import { findBucket } from '../bucket.ts'
import type { FoundBucket } from '../bucket.ts'
import type { Draft } from '../draft.ts'
import { forgetKey, keyNotFound, locateKey } from '../key.ts'
import { binaryKeyName, keyTooLong } from '../names.ts'
import { isRefusal } from '../refusal.ts'
import { changeLeaf } from '../rows/entry.ts'
import { locate, pathOfDirectory, putEntry, removeEntry } from '../tree.ts'
import { done } from './handler.ts'
import type { CommandOf } from './handler.ts'

/**
 * One row moves, whatever lies below it. The directories that the target needs come, those that the source leaves empty
 * go. Content and modification time stay; a key's update id changes, those of keys below a directory do not. A rename to
 * the same name does nothing. A directory never replaces one.
 *
 * `BucketNotFound`, `InvalidName`, `KeyTooLong` (also of names below a directory), `InvalidArgument` (a directory to a
 * key, a directory under itself), `KeyNotFound`, `KeyAlreadyExists`, `DirectoryNotEmpty`.
 */
export function renameKey(draft: Draft, command: CommandOf<'rename-key'>): OmReply | Refusal {
  const bucket = findBucket(draft, command)
  if (isRefusal(bucket)) return bucket
  const to = binaryKeyName(command.to)
  if (isRefusal(to)) return to
  if (command.key.endsWith('/') !== command.to.endsWith('/')) {
    return refuse('InvalidArgument', 'a directory is renamed to a directory and a key to a key')
  }
  const from = binaryKeyName(command.key)
  if (isRefusal(from)) return from
  const refusal = to.endsWith('/')
    ? renameDirectory(draft, bucket, { from, to })
    : renameLeaf(draft, bucket, { from, to, replace: command.replace })
  return refusal ?? done
}

interface Names {
  readonly from: BinaryKey
  readonly to: BinaryKey
}

function renameLeaf(
  draft: Draft,
  bucket: FoundBucket,
  { from, to, replace }: Names & { readonly replace: boolean },
): Refusal | undefined {
  const { row } = locateKey(draft, bucket, from)
  if (row === undefined) return keyNotFound(binaryToUtf8(from))
  if (from === to) return undefined
  const target = locateKey(draft, bucket, to)
  if (target.row !== undefined) {
    if (!replace) return refuse('KeyAlreadyExists', 'the target exists already')
    forgetKey(draft, target)
  }
  // The target comes first, so that a directory that holds both stays. After that the source must be located again.
  putEntry(draft, target.place, changeLeaf(row, { updateId: draft.stamp.sequence }))
  removeEntry(draft, locateKey(draft, bucket, from).place)
  return undefined
}

function renameDirectory(draft: Draft, bucket: FoundBucket, { from, to }: Names): Refusal | undefined {
  const { id } = bucket.row
  const { row } = locate(draft, id, pathOfDirectory(from))
  if (row?.kind !== 'directory') return refuse('KeyNotFound', 'no such directory')
  if (from === to) return undefined
  if (to.startsWith(from)) return refuse('InvalidArgument', 'a directory cannot move into itself')
  const target = locate(draft, id, pathOfDirectory(to))
  if (target.row !== undefined) return refuse('DirectoryNotEmpty', 'the target directory exists already')
  if (to.length + row.longestBelow > maxKeyBytes) return keyTooLong
  putEntry(draft, target, row)
  removeEntry(draft, locate(draft, id, pathOfDirectory(from)))
  return undefined
}
