import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { checkQuotaShape } from '../limits.ts'
import { checkBucketName, checkUserName } from '../names.ts'
import { addOwned } from '../owners.ts'
import { volumeOf } from '../records.ts'
import { volumes, volumeUsage } from '../rows/volume.ts'
import type { CommandOf } from './handler.ts'

/** `InvalidName`, `InvalidArgument` (quota), `VolumeAlreadyExists`. */
export function createVolume(draft: Draft, command: CommandOf<'create-volume'>): OmReply | Refusal {
  const { volume: name, owner, quota } = command
  const refusal = checkBucketName(name) ?? checkUserName(owner) ?? checkQuotaShape(quota)
  if (refusal !== undefined) return refusal
  if (draft.get(volumes, name) !== undefined) return refuse('VolumeAlreadyExists', 'the volume exists already')

  const { wallMs } = draft.stamp
  const row = { owner, createdMs: wallMs, modifiedMs: wallMs, quota, members: {}, metadata: {} }
  const usage = { bytes: 0, keys: 0, buckets: 0 }
  draft.put(volumes, name, row)
  draft.put(volumeUsage, name, usage)
  addOwned(draft, owner)
  return { kind: 'volume', volume: volumeOf(name, row, usage) }
}
