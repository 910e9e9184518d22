import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { isCount, maxPositionsPerPurge } from '../limits.ts'
import { deletedBlocks, queueEnds } from '../rows/block.ts'
import { done } from './handler.ts'
import type { CommandOf } from './handler.ts'

/** What was purged before is passed over. `InvalidArgument` for a position that is not there yet, or for too many. */
export function purgeDeletedBlocks(draft: Draft, { through }: CommandOf<'purge-deleted-blocks'>): OmReply | Refusal {
  const { first, next } = draft.queue('deleted-blocks')
  if (!isCount(through) || through >= next)
    return refuse('InvalidArgument', 'the queue does not reach that far', { next })
  if (through < first) return done
  if (through - first >= maxPositionsPerPurge) {
    return refuse('InvalidArgument', `at most ${maxPositionsPerPurge} positions are purged at once`)
  }
  for (let position = first; position <= through; position++) draft.remove(deletedBlocks, position)
  draft.put(queueEnds, 'deleted-blocks', { first: through + 1, next })
  return done
}
