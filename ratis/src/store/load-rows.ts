/** What the key-value store says at a start: whose rows it holds, how far they go, and which requests were answered. */

import { StoreError } from '@o3/common/errors'
import type { BinaryKey, KvStore } from '@o3/common/kv'
import { decodeConfiguration } from '../core/configuration.ts'
import type { MachineStart } from '../node/consensus.ts'
import type { LedgerRecord } from './request-ledger.ts'
import {
  appliedKey,
  checkpointKey,
  configurationKey,
  decodeApplied,
  decodeCheckpoint,
  decodeConfigurationRow,
  decodeIdentity,
  decodeLedgerChunk,
  encodeIdentity,
  identityKey,
  ledgerRange,
  type Applied,
  type LogPlace,
} from './system-rows.ts'

const chunksPerRead = 16

/** Where a start begins. */
export interface LoadedRows {
  readonly groupId: string | undefined
  /** Everything up to here is durable in the rows. */
  readonly checkpoint: LogPlace
  /**
   * How far the rows claim to be. After a power cut they may hold a later batch and lack an earlier one, so every entry
   * behind the checkpoint is applied again, whatever they say. That is sound because entries are absolute puts and deletes,
   * applied in order: whatever subset was there, each row ends as its last entry left it.
   */
  readonly applied: Applied
  readonly configuration: MachineStart['configuration']
  /** The keys of the ledger's rows, in order. */
  readonly ledgerChunks: readonly BinaryKey[]
}

/** Hands the answered requests to `restore`. Rejects with `Damaged` when the rows contradict each other. */
export async function loadRows(kv: KvStore, restore: (records: readonly LedgerRecord[]) => void): Promise<LoadedRows> {
  const keys = [identityKey, appliedKey, checkpointKey, configurationKey]
  const [identity, appliedRow, checkpointRow, configurationRow] = await kv.getMany(keys)
  const applied = appliedRow === undefined ? { index: 0, term: 0, lastSequence: 0 } : decodeApplied(appliedRow)
  const checkpoint = checkpointRow === undefined ? { index: 0, term: 0 } : decodeCheckpoint(checkpointRow)
  if (applied.index < checkpoint.index) throw rowsLost(checkpoint.index, applied.index)
  // The identity is durable before any other row.
  if (identity === undefined && appliedRow !== undefined) throw rowsLost(checkpoint.index, applied.index)
  return {
    groupId: identity && decodeIdentity(identity),
    checkpoint,
    applied,
    configuration: configurationRow && configurationOf(configurationRow),
    ledgerChunks: await loadLedger(kv, restore),
  }
}

/** The rows of a store belong to one group for ever: a log of another one is refused with `Incompatible`. */
export async function claimRows(kv: KvStore, found: string | undefined, groupId: string): Promise<void> {
  if (found === undefined) {
    await kv.write([{ kind: 'put', key: identityKey, value: encodeIdentity(groupId) }])
    // Durable before any other row: rows without an identity are somebody else's.
    await kv.checkpoint()
  } else if (found !== groupId) {
    throw new StoreError('Incompatible', `the rows belong to group ${found}, the log to ${groupId}`)
  }
}

export function rowsLost(checkpointIndex: number, appliedIndex: number): StoreError {
  const message = `the rows are those of entry ${appliedIndex}, but entry ${checkpointIndex} had been checkpointed`
  return new StoreError('Damaged', message, { details: { checkpointIndex, appliedIndex } })
}

async function loadLedger(
  kv: KvStore,
  restore: (records: readonly LedgerRecord[]) => void,
): Promise<readonly BinaryKey[]> {
  const keys: BinaryKey[] = []
  const cursor = kv.cursor(ledgerRange)
  try {
    for (;;) {
      const chunks = await cursor.next(chunksPerRead)
      if (chunks.length === 0) return keys
      for (const { key, value } of chunks) {
        keys.push(key)
        restore(decodeLedgerChunk(value))
      }
    }
  } finally {
    await cursor.close()
  }
}

function configurationOf(row: Uint8Array): MachineStart['configuration'] {
  const { index, payload } = decodeConfigurationRow(row)
  return { index, configuration: decodeConfiguration(payload) }
}
