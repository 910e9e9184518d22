/** Snapshots of a store: made for members that are behind, received, and put in the place of the present state. */

import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { KvEntry, KvStore } from '@o3/common/kv'
import type { LogIndex } from '../api/api.ts'
import type { InstallPlace, SnapshotReceiver, SnapshotSource } from '../node/consensus.ts'
import type { Checkpointer } from './checkpointer.ts'
import type { KvFlusher } from './kv-flusher.ts'
import { loadRows, type LoadedRows } from './load-rows.ts'
import { ReopeningKv } from './reopening-kv.ts'
import type { LedgerRecord, RequestLedger } from './request-ledger.ts'
import type { RowsHome } from './rows-home.ts'
import { RowsReceiver } from './rows-receiver.ts'
import { RowsSnapshot } from './rows-snapshot.ts'
import { decodeIncoming, encodeIncoming, incomingKey, ledgerChunks, type Incoming } from './system-rows.ts'

export interface SnapshotParts {
  readonly home: RowsHome | undefined
  readonly kv: ReopeningKv
  readonly flusher: KvFlusher
  readonly ledger: RequestLedger
  readonly checkpointer: Checkpointer
  readonly groupId: string
  readonly hasSpace: () => Promise<boolean>
  readonly appliedIndex: () => LogIndex
  /** From this index on the rows are whole. */
  readonly settledIndex: () => LogIndex
  /** The rows are now these; synchronous. */
  readonly onInstalled: (loaded: LoadedRows, records: readonly LedgerRecord[]) => void
  /** It is decided on disk that the snapshot counts, and it could not be followed up here. */
  readonly onFailure: (error: unknown) => void
}

export class StoreSnapshots {
  private readonly env: Env
  private readonly parts: SnapshotParts
  /** The store that a snapshot is received into, while it is open. */
  private incoming: ReopeningKv | undefined

  constructor(env: Env, parts: SnapshotParts) {
    this.env = env
    this.parts = parts
  }

  async openSource(): Promise<SnapshotSource> {
    const { flusher, kv, settledIndex } = this.parts
    // All of it at one moment: a checkpoint moves replies from the ledger's memory into rows.
    return flusher.when(settledIndex(), () => new RowsSnapshot(kv.snapshot(), flusher.flushed, this.unsavedReplies()))
  }

  async openReceiver(snapshot: string): Promise<SnapshotReceiver> {
    const { home, groupId, hasSpace } = this.parts
    if (home === undefined) {
      throw new StoreError('NotImplemented', 'this store was given one key-value store, and no place for a second one')
    }
    await this.closeIncoming()
    const { kv, incoming } = await this.openIncoming(home, snapshot)
    return new RowsReceiver({
      kv,
      incoming,
      groupId,
      hasSpace,
      install: (received, place, resetLog) => this.install(home, received, { place, resetLog }),
      discard: async () => {
        await this.closeIncoming()
        await home.removeIncoming()
      },
    })
  }

  /** What was received stays for the next start. */
  close(): Promise<void> {
    return this.closeIncoming()
  }

  /** Replies that no row has yet, as the rows that the next checkpoint would write. */
  private unsavedReplies(): readonly KvEntry[] {
    const { ledger, checkpointer, flusher } = this.parts
    const { index } = flusher.flushed
    const records = ledger.repliesAfter(checkpointer.checkpointIndex).filter((record) => record.index <= index)
    return ledgerChunks(index, records)
  }

  private async openIncoming(
    home: RowsHome,
    snapshot: string,
  ): Promise<{ readonly kv: ReopeningKv; readonly incoming: Incoming }> {
    const kv = await this.keepIncoming(home)
    const row = await kv.get(incomingKey)
    const found = row && decodeIncoming(row)
    if (found?.snapshot === snapshot) return { kv, incoming: found }
    await this.closeIncoming()
    await home.removeIncoming()
    const empty = await this.keepIncoming(home)
    const incoming: Incoming = { snapshot, position: '', isComplete: false }
    await empty.write([{ kind: 'put', key: incomingKey, value: encodeIncoming(incoming) }])
    await empty.checkpoint()
    return { kv: empty, incoming }
  }

  private async keepIncoming(home: RowsHome): Promise<ReopeningKv> {
    const open = (): Promise<KvStore> => home.openIncoming()
    this.incoming = new ReopeningKv(await open(), { open, isOwned: true })
    return this.incoming
  }

  private async closeIncoming(): Promise<void> {
    const { incoming } = this
    this.incoming = undefined
    await incoming?.close()
  }

  /**
   * First the decision, durably; then the log, which must not be behind what it is the log of; then what is in memory, in
   * one synchronous step. A crash behind the decision ends in the new state: the next start resets the log.
   */
  private async install(
    home: RowsHome,
    received: ReopeningKv,
    { place, resetLog }: { readonly place: InstallPlace; readonly resetLog: () => Promise<void> },
  ): Promise<void> {
    const { checkpointer, flusher, kv, appliedIndex, onInstalled, onFailure } = this.parts
    if (place.index <= appliedIndex()) {
      throw new StoreError('InvalidArgument', `entry ${appliedIndex()} is applied; the snapshot is of ${place.index}`)
    }
    const records: LedgerRecord[] = []
    const loaded = await loadRows(received, (chunk) => void records.push(...chunk))
    await checkpointer.alone(async () => {
      this.env.at('store.install.before-switch')
      await home.replace(place)
      try {
        this.env.at('store.install.before-reset')
        await resetLog()
        this.env.at('store.install.after-reset')
        await flusher.halt()
        const closed = kv.replace(received.current)
        this.incoming = undefined
        onInstalled(loaded, records)
        await closed
        await home.settle()
        this.env.at('store.install.before-remove')
        await home.removePrevious()
      } catch (error) {
        onFailure(error)
        throw error
      }
    })
  }
}
