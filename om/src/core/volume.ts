import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'

export function volumeNotFound(volume: string): Refusal {
  return refuse('VolumeNotFound', 'no such volume', { volume })
}
