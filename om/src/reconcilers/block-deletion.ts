import type { Clock } from '@o3/common/env'
import type { ReplicatedStore, Row } from '@o3/ratis/api'
import type { ScmBlockProtocol } from '@o3/scm/api'
import type { OmCommand, OmReply } from '../api/api.ts'
import type { OmConfig } from '../config.ts'
import { deletedBlocks, queueEnds } from '../core/rows/block.ts'
import type { DeletedBlocksRow } from '../core/rows/block.ts'
import { withCursor } from '../storage/cursors.ts'
import type { Reconciler } from './reconciler.ts'

/** Handed to SCM at once, unless a single position has more. */
const maxRangesPerRound = 4_096

export interface BlockDeletionParts {
  readonly store: ReplicatedStore<OmCommand, OmReply>
  readonly scm: ScmBlockProtocol
  readonly clock: Clock
  readonly config: OmConfig
}

/**
 * Hands the deleted blocks over to SCM, oldest first, and purges what SCM has taken. A crash between the two hands some
 * over again, which SCM does not mind.
 */
export class BlockDeletion implements Reconciler {
  readonly name = 'om.block-deletion'
  private readonly parts: BlockDeletionParts

  constructor(parts: BlockDeletionParts) {
    this.parts = parts
  }

  async round(): Promise<'idle' | 'more'> {
    const { store, scm, config } = this.parts
    const ends = await store.get(queueEnds, 'deleted-blocks')
    if (ends === undefined || ends.first === ends.next) return 'idle'
    const rows = await this.oldest(ends.first)
    const due = this.due(rows)
    const last = due.at(-1)
    if (last === undefined) return 'idle'
    await scm.deleteBlocks(due.flatMap(({ value }) => value.ranges))
    await store.execute({ kind: 'purge-deleted-blocks', through: last.key })
    return due.length < rows.length || rows.length === config.blockDeletionBatch ? 'more' : 'idle'
  }

  private oldest(first: number): Promise<readonly Row<number, DeletedBlocksRow>[]> {
    const { store, config } = this.parts
    const place = { table: deletedBlocks, range: { from: deletedBlocks.encodeKey(first) } }
    return store.read((view) => withCursor(view, place, (cursor) => cursor.next(config.blockDeletionBatch)))
  }

  /** Those whose readers had their time, as many as one round takes. */
  private due(rows: readonly Row<number, DeletedBlocksRow>[]): readonly Row<number, DeletedBlocksRow>[] {
    const { clock, config } = this.parts
    const untilMs = clock.wallMs() - config.blockDeletionDelayMs
    let ranges = 0
    const end = rows.findIndex(({ value }, index) => {
      ranges += value.ranges.length
      return value.deletedMs > untilMs || (index > 0 && ranges > maxRangesPerRound)
    })
    return end === -1 ? rows : rows.slice(0, end)
  }
}
