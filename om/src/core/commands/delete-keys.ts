import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { BucketId, OmReply } from '../../api/api.ts'
import { findBucket } from '../bucket.ts'
import type { FoundBucket } from '../bucket.ts'
import type { Draft } from '../draft.ts'
import { keyPlaceIn, removeKey } from '../key.ts'
import { maxKeysPerDelete } from '../limits.ts'
import { binaryKeyName } from '../names.ts'
import { judgeWrite } from '../preconditions.ts'
import { isRefusal } from '../refusal.ts'
import { fetchPaths, pathOfKey } from '../tree.ts'
import type { CommandOf } from './handler.ts'

type DeleteKeys = CommandOf<'delete-keys'>
type Result = Extract<OmReply, { kind: 'deleted-many' }>['results'][number]
type ResultError = Extract<Result, { error: unknown }>['error']

/** `BucketNotFound`, `TooManyEntries`. What is wrong with one key is the answer for that key. */
export function deleteKeys(draft: Draft, command: DeleteKeys): OmReply | Refusal {
  if (command.keys.length > maxKeysPerDelete) {
    return refuse('TooManyEntries', `at most ${maxKeysPerDelete} keys are deleted at once`)
  }
  const bucket = findBucket(draft, command)
  if (isRefusal(bucket)) return bucket
  fetchKeys(draft, bucket.row.id, command)
  return { kind: 'deleted-many', results: command.keys.map((each) => deleteOne(draft, bucket, each)) }
}

function fetchKeys(draft: Draft, bucket: BucketId, { keys }: DeleteKeys): void {
  const paths = keys.flatMap(({ key }) => {
    const name = binaryKeyName(key)
    return isRefusal(name) ? [] : [pathOfKey(name)]
  })
  fetchPaths(draft, bucket, paths)
}

function deleteOne(draft: Draft, bucket: FoundBucket, { key, ifMatch }: DeleteKeys['keys'][number]): Result {
  const at = keyPlaceIn(draft, bucket, key)
  if (isRefusal(at)) return { key, error: at.code as ResultError }
  const etags = ifMatch === undefined ? {} : ({ ifMatch: ifMatch === '*' ? ifMatch : [ifMatch] } as const)
  const refusal = judgeWrite(etags, at.row)
  if (refusal !== undefined) return { key, error: refusal.code as ResultError }
  if (at.row !== undefined) removeKey(draft, at)
  return { key, existed: at.row !== undefined }
}
