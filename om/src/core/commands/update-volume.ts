import { assert } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { changeMembers, checkQuotaShape, checkTexts } from '../limits.ts'
import { checkUserName } from '../names.ts'
import { moveOwned } from '../owners.ts'
import { volumeOf } from '../records.ts'
import { isRefusal } from '../refusal.ts'
import { volumes, volumeUsage } from '../rows/volume.ts'
import { volumeNotFound } from '../volume.ts'
import type { CommandOf } from './handler.ts'

/** `VolumeNotFound`, `InvalidName` (owner), `InvalidArgument` (quota, texts), `TooLarge` (metadata), `TooManyEntries` (members). */
export function updateVolume(draft: Draft, command: CommandOf<'update-volume'>): OmReply | Refusal {
  const before = draft.get(volumes, command.volume)
  if (before === undefined) return volumeNotFound(command.volume)
  const { owner = before.owner, quota = before.quota, metadata = before.metadata } = command
  const refusal =
    (owner === before.owner ? undefined : checkUserName(owner)) ?? checkQuotaShape(quota) ?? checkTexts([], metadata)
  if (refusal !== undefined) return refusal
  const members = changeMembers(before.members, command.members)
  if (isRefusal(members)) return members

  const usage = draft.get(volumeUsage, command.volume)
  assert(usage !== undefined, 'a volume has counters')
  const row = { owner, createdMs: before.createdMs, modifiedMs: draft.stamp.wallMs, quota, members, metadata }
  draft.put(volumes, command.volume, row)
  moveOwned(draft, before.owner, owner)
  return { kind: 'volume', volume: volumeOf(command.volume, row, usage) }
}
