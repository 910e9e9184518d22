/** Records of deleted blocks of encoded containers: read for an encoding without them, and cleared away once they are spent. */

import { u64Key } from '@o3/common/codec'
import type { ContainerId, DatanodeCommand } from '../api/api.ts'
import { OmissionBuilder, spentBlocks } from '../core/recorded-deletions.ts'
import type { Omission, OmissionBounds, RecordedDeletion } from '../core/recorded-deletions.ts'
import { encodedDeletions } from '../core/tables.ts'
import type { TermParts, TermWorker } from './term-worker.ts'

const pageRows = 1_000
/** Containers whose records are cleared away in one round, a page of each. */
const perRound = 16

/** See `OmissionBuilder`. `NotLeader`. */
export async function readOmission(
  store: TermParts['store'],
  container: ContainerId,
  bounds: OmissionBounds,
): Promise<Omission | undefined> {
  const builder = new OmissionBuilder(bounds)
  await eachPage(store, container, (records) => records.every((record) => builder.add(record) === 'taken'))
  return builder.finish()
}

/**
 * What an encoding has left out has no use for its records, nor has a container that goes. Rows say where there are such, so a
 * leader that comes later finds them.
 */
export class RecordedDeletions implements TermWorker {
  private readonly parts: TermParts
  private readonly spent = new Set<ContainerId>()
  private clearing: Promise<void> | undefined

  constructor(parts: TermParts) {
    this.parts = parts
    const { cluster } = parts
    for (const id of cluster.containerIds()) this.note(id)
    cluster.subscribe((event) => {
      if (event.kind === 'container') this.note(event.container)
    })
  }

  async round(): Promise<void> {
    if (this.spent.size === 0) return
    this.clearing ??= this.clear().finally(() => {
      this.clearing = undefined
    })
    await this.clearing
  }

  commandsFor(): readonly DatanodeCommand[] {
    return []
  }

  private note(id: ContainerId): void {
    const row = this.parts.cluster.container(id)?.row
    if (row !== undefined && spentBlocks(row) > 0) this.spent.add(id)
    else this.spent.delete(id)
  }

  private async clear(): Promise<void> {
    const { cluster, store } = this.parts
    for (const container of [...this.spent].slice(0, perRound)) {
      const transactions: number[] = []
      await eachPage(store, container, (records) => {
        transactions.push(...records.map(({ transaction }) => transaction))
        return false
      })
      await cluster.execute({ kind: 'drop-records', container, transactions })
    }
  }
}

/** In their order, as long as they are wanted. */
async function eachPage(
  store: TermParts['store'],
  container: ContainerId,
  take: (records: readonly RecordedDeletion[]) => boolean,
): Promise<void> {
  await store.read(async (view) => {
    const cursor = view.cursor(encodedDeletions, { from: u64Key(container), to: u64Key(container + 1) })
    try {
      for (;;) {
        const page = await cursor.next(pageRows)
        const records = page.map(({ key, value }) => ({ transaction: key.transaction, blocks: value }))
        if (page.length === 0 || !take(records)) return
      }
    } finally {
      await cursor.close()
    }
  })
}
