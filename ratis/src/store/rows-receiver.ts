import { assert, StoreError } from '@o3/common/errors'
import type { KvWrite } from '@o3/common/kv'
import { encodeConfiguration } from '../core/configuration.ts'
import type { InstallPlace, SnapshotReceiver } from '../node/consensus.ts'
import type { ReopeningKv } from './reopening-kv.ts'
import { decodePiece } from './snapshot-piece.ts'
import {
  appliedKey,
  checkpointKey,
  configurationKey,
  decodeApplied,
  encodeCheckpoint,
  encodeConfigurationRow,
  encodeIdentity,
  encodeIncoming,
  identityKey,
  incomingKey,
  type Incoming,
} from './system-rows.ts'

export interface ReceiverParts {
  /** Only what was received of this snapshot is in it. */
  readonly kv: ReopeningKv
  readonly incoming: Incoming
  readonly groupId: string
  /** Whether there is room for more. */
  readonly hasSpace: () => Promise<boolean>
  /** Puts the received rows in the place of the present ones. */
  readonly install: (kv: ReopeningKv, place: InstallPlace, resetLog: () => Promise<void>) => Promise<void>
  /** Forgets the received rows. */
  readonly discard: () => Promise<void>
}

/** Receives a snapshot into a key-value store of its own. Each piece and the note of how far it has come are one batch. */
export class RowsReceiver implements SnapshotReceiver {
  private readonly parts: ReceiverParts
  private incoming: Incoming

  constructor(parts: ReceiverParts) {
    this.parts = parts
    this.incoming = parts.incoming
  }

  get wanted(): string {
    return this.incoming.position
  }

  async store(position: string, next: string | undefined, bytes: Uint8Array): Promise<void> {
    const { kv, hasSpace } = this.parts
    if (position !== this.incoming.position) {
      throw new StoreError('InvalidArgument', 'another piece of the snapshot is wanted')
    }
    if (!(await hasSpace())) throw new StoreError('OutOfSpace', 'there is no room for a snapshot')
    // The last piece may come again: after a restart nobody can say that all are there.
    const incoming: Incoming = { ...this.incoming, position: next ?? position, isComplete: next === undefined }
    const batch: KvWrite[] = [{ kind: 'put', key: incomingKey, value: encodeIncoming(incoming) }]
    for (const { key, value } of decodePiece(bytes)) batch.push({ kind: 'put', key, value })
    try {
      await kv.write(batch)
      await kv.checkpoint()
    } catch (error) {
      // The engine takes nothing more after that; opened again, it has what was stored before.
      await kv.reopen()
      throw error
    }
    this.incoming = incoming
  }

  async install(place: InstallPlace, resetLog: () => Promise<void>): Promise<void> {
    const { kv, groupId, install } = this.parts
    assert(this.incoming.isComplete, 'a snapshot is installed when all of it was received')
    const appliedRow = await kv.get(appliedKey)
    const applied = appliedRow && decodeApplied(appliedRow)
    if (applied?.index !== place.index || applied.term !== place.term) {
      throw new StoreError('Damaged', `the snapshot is one of entry ${applied?.index ?? 0}, not of ${place.index}`)
    }
    const batch: KvWrite[] = [
      { kind: 'put', key: identityKey, value: encodeIdentity(groupId) },
      { kind: 'put', key: checkpointKey, value: encodeCheckpoint(place) },
    ]
    const { configuration, index } = place
    if (configuration !== undefined) {
      const row = encodeConfigurationRow(index, encodeConfiguration(configuration))
      batch.push({ kind: 'put', key: configurationKey, value: row })
    }
    await kv.write(batch)
    await kv.checkpoint()
    await install(kv, place, resetLog)
  }

  discard(): Promise<void> {
    return this.parts.discard()
  }
}
