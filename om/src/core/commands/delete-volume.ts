import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { removeOwned } from '../owners.ts'
import { volumes, volumeUsage } from '../rows/volume.ts'
import { volumeNotFound } from '../volume.ts'
import { done } from './handler.ts'
import type { CommandOf } from './handler.ts'

/** `VolumeNotFound`, `VolumeNotEmpty`. */
export function deleteVolume(draft: Draft, { volume }: CommandOf<'delete-volume'>): OmReply | Refusal {
  const row = draft.get(volumes, volume)
  if (row === undefined) return volumeNotFound(volume)
  if (draft.get(volumeUsage, volume)?.buckets !== 0) return refuse('VolumeNotEmpty', 'the volume still has buckets')
  draft.remove(volumes, volume)
  draft.remove(volumeUsage, volume)
  removeOwned(draft, row.owner)
  return done
}
