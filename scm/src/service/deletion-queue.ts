/** Sees to it that blocks are deleted from every replica of their container. */

import type { ContainerId, DatanodeCommand, DatanodeId, DeletedBlocksSummary } from '../api/api.ts'
import { u64Key } from '@o3/common/codec'
import { canBeSettled, mayDeleteBlocks, waitingFor } from '../core/life/deletions.ts'
import { deletions } from '../core/tables.ts'
import type { DeletionRow } from '../core/tables.ts'
import type { PendingDeletions } from './cluster.ts'
import { KeyedSets } from './keyed-sets.ts'
import type { TermParts, TermWorker } from './term-worker.ts'

interface Pending {
  readonly container: ContainerId
  readonly blocks: number
  readonly sinceMs: number
  done: readonly DatanodeId[]
  copies: number
}

const pageRows = 1_000

/**
 * Deletions in the order in which they were asked for, the oldest in memory, with what was said of them but without their
 * blocks; those behind them come as these are done. Which of them may be sent to whom is worked out anew when something
 * about their container has changed.
 */
export class DeletionQueue implements TermWorker, PendingDeletions {
  private readonly parts: TermParts
  private readonly pending = new Map<number, Pending>()
  private readonly byContainer = new KeyedSets<ContainerId, number>()
  private readonly ready = new KeyedSets<DatanodeId, ContainerId>()
  private readonly readyAt = new Map<ContainerId, readonly DatanodeId[]>()
  private readonly changed = new Set<ContainerId>()
  private loadedUpTo = 0
  private isBehind = true
  private loading: Promise<void> | undefined

  constructor(parts: TermParts) {
    this.parts = parts
    parts.cluster.pending = this
    parts.cluster.subscribe((event) => {
      if (event.kind === 'container' && this.byContainer.get(event.container).size > 0)
        this.changed.add(event.container)
    })
  }

  countOf(container: ContainerId): number {
    return this.byContainer.get(container).size
  }

  sinceMs(container: ContainerId): number | undefined {
    const [oldest] = this.byContainer.get(container)
    return oldest === undefined ? undefined : this.pending.get(oldest)?.sinceMs
  }

  /** There are new ones behind those that are known. */
  noteAdded(): void {
    this.isBehind = true
  }

  /** What a datanode has carried out. Durable when it resolves. */
  async acknowledge(datanode: DatanodeId, transactions: readonly number[]): Promise<void> {
    await this.parts.cluster.execute({ kind: 'acknowledge-deletions', datanode, transactions })
    await Promise.all(transactions.map((each) => this.refresh(each)))
  }

  async round(): Promise<void> {
    await this.catchUp()
    const settled: number[] = []
    for (const container of this.changed) settled.push(...this.prepare(container))
    this.changed.clear()
    if (settled.length > 0) await this.settle(settled)
  }

  async commandsFor(datanode: DatanodeId): Promise<readonly DatanodeCommand[]> {
    const { deletionsPerHeartbeat } = this.parts.config
    const wanted: number[] = []
    const line = [...this.ready.get(datanode)]
    for (const container of line) {
      if (wanted.length >= deletionsPerHeartbeat) break
      for (const transaction of this.byContainer.get(container)) {
        if (this.isWaiting(transaction, datanode)) wanted.push(transaction)
        if (wanted.length >= deletionsPerHeartbeat) break
      }
      // To the end of the line.
      this.ready.delete(datanode, container)
      this.ready.add(datanode, container)
    }
    const rows = await Promise.all(wanted.map(async (each) => this.parts.store.get(deletions, each)))
    return rows.flatMap((row, n): readonly DatanodeCommand[] => {
      const transaction = wanted[n]
      if (row === undefined || transaction === undefined) return []
      return [{ kind: 'delete-blocks', transaction, blocks: row.blocks }]
    })
  }

  /** Resolves when all that was there when this was called is in memory, or as much as may be. Who comes meanwhile shares it. */
  async catchUp(): Promise<void> {
    if (this.loading !== undefined) await this.loading
    if (!this.isBehind || this.pending.size > this.parts.config.trackedDeletions / 2) return
    this.loading ??= this.load().finally(() => {
      this.loading = undefined
    })
    await this.loading
  }

  /** Of those in memory: the oldest, and nearly always all. */
  summary(): DeletedBlocksSummary {
    const waiting = new Map<DatanodeId, number>()
    let [blocks, heldTransactions] = [0, 0]
    for (const each of this.pending.values()) {
      blocks += each.blocks
      const container = this.parts.cluster.container(each.container)
      if (container === undefined) continue
      if (!mayDeleteBlocks(container)) heldTransactions++
      for (const id of waitingFor(container.row, each)) waiting.set(id, (waiting.get(id) ?? 0) + 1)
    }
    return {
      transactions: this.pending.size,
      blocks,
      heldTransactions,
      waitingFor: [...waiting]
        .map(([datanode, transactions]) => ({ datanode, transactions }))
        .toSorted((a, b) => (a.datanode < b.datanode ? -1 : 1)),
    }
  }

  private async load(): Promise<void> {
    const { config, cluster, store } = this.parts
    // What is added from now on may be missed by the read.
    this.isBehind = false
    await store.read(async (view) => {
      const cursor = view.cursor(deletions, { from: u64Key(this.loadedUpTo + 1) })
      try {
        for (;;) {
          const page = await cursor.next(pageRows)
          for (const { key, value } of page) this.add(key, value, cluster.nowMs)
          if (page.length === 0) return
          if (this.pending.size < config.trackedDeletions) continue
          this.isBehind = true
          return
        }
      } finally {
        await cursor.close()
      }
    })
  }

  private add(transaction: number, row: DeletionRow, nowMs: number): void {
    this.loadedUpTo = transaction
    const container = row.blocks[0]?.container
    if (container === undefined) return
    const blocks = row.blocks.reduce((sum, { count }) => sum + count, 0)
    this.pending.set(transaction, { container, blocks, sinceMs: nowMs, done: row.done, copies: row.copies })
    this.byContainer.add(container, transaction)
    this.changed.add(container)
  }

  /** Reads again what was said of it. */
  private async refresh(transaction: number): Promise<void> {
    const known = this.pending.get(transaction)
    if (known === undefined) return
    const row = await this.parts.store.get(deletions, transaction)
    if (row === undefined) {
      this.changed.add(known.container)
      this.pending.delete(transaction)
      this.byContainer.delete(known.container, transaction)
      this.parts.cluster.noteDeletion(known.container)
      return
    }
    known.done = row.done
    known.copies = row.copies
    this.changed.add(known.container)
  }

  /** Works out anew who is to be asked; and which transactions nobody is to be asked for any more. */
  private prepare(id: ContainerId): readonly number[] {
    for (const datanode of this.readyAt.get(id) ?? []) this.ready.delete(datanode, id)
    this.readyAt.delete(id)
    const transactions = [...this.byContainer.get(id)]
    const container = this.parts.cluster.container(id)
    const known = transactions.flatMap((each) => this.pending.get(each) ?? [])
    if (container !== undefined && mayDeleteBlocks(container)) {
      const wanted = container.row.datanodes.filter((datanode) => {
        return known.some((each) => waitingFor(container.row, each).includes(datanode))
      })
      for (const datanode of wanted) this.ready.add(datanode, id)
      this.readyAt.set(id, wanted)
    }
    return transactions.filter((each) => {
      const pending = this.pending.get(each)
      return pending !== undefined && canBeSettled(container?.row, pending)
    })
  }

  private async settle(transactions: readonly number[]): Promise<void> {
    const encoded = new Set(transactions.flatMap((each) => this.pending.get(each)?.container ?? []))
    await this.parts.cluster.execute({ kind: 'settle-deletions', transactions })
    await Promise.all(transactions.map((each) => this.refresh(each)))
    // Those of an encoded container are counted in its row.
    await Promise.all([...encoded].map((id) => this.parts.cluster.refreshContainer(id)))
  }

  private isWaiting(transaction: number, datanode: DatanodeId): boolean {
    const pending = this.pending.get(transaction)
    const row = pending === undefined ? undefined : this.parts.cluster.container(pending.container)?.row
    if (pending === undefined || row === undefined) return false
    return waitingFor(row, pending).includes(datanode)
  }
}
