/**
 * Brings the key-value store up to the log. Every entry behind the hard state's checkpoint is applied again, whatever the
 * store says it has: after a power cut it may hold a later batch and lack an earlier one. That is sound because entries
 * are absolute puts and deletes, applied in order: whatever subset was there, each row ends as its last entry left it.
 */

import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { BinaryKey, KvStore, KvWrite } from '@o3/common/kv'
import type { LogEntry, SegmentedLog } from '../log/segmented-log.ts'
import { decodeEntry } from './entry-codec.ts'
import type { RequestLedger } from './request-ledger.ts'
import {
  appliedKey,
  decodeApplied,
  decodeIdentity,
  decodeLedgerChunk,
  encodeApplied,
  encodeIdentity,
  identityKey,
  ledgerRange,
  type Applied,
} from './system-rows.ts'

/** What one batch of replay takes in: large, so that a million rows are a few hundred trips. */
const replayBytes = 4 * 1024 * 1024
const chunksPerRead = 16

/** Where a start begins. */
export interface Recovered {
  readonly applied: Applied
  /** Entries that were applied again. */
  readonly replayedEntries: number
  /** The keys of the ledger's rows, in order. */
  readonly ledgerChunks: readonly BinaryKey[]
}

/** Rejects with `Damaged` when log and rows contradict each other, `Incompatible` when they belong to different stores. */
export async function recoverStore(
  env: Env,
  parts: { readonly log: SegmentedLog; readonly kv: KvStore; readonly ledger: RequestLedger },
): Promise<Recovered> {
  const { log, kv, ledger } = parts
  const known = await expectPair(log, kv)
  const ledgerChunks = await loadLedger(kv, ledger)
  env.at('store.recover.before-replay')
  const applied = await replay(env, parts, known)
  env.at('store.recover.after-replay')
  return { applied, replayedEntries: applied.index - log.hardState.checkpointIndex, ledgerChunks }
}

/** The applied row, after checking that rows and log are two halves of one store. */
async function expectPair(log: SegmentedLog, kv: KvStore): Promise<Applied> {
  const { groupId, checkpointIndex } = log.hardState
  const [identity, appliedRow] = await kv.getMany([identityKey, appliedKey])
  const applied = appliedRow === undefined ? { index: 0, term: 0, lastSequence: 0 } : decodeApplied(appliedRow)
  if (identity === undefined) {
    if (checkpointIndex > 0 || appliedRow !== undefined) throw rowsLost(checkpointIndex, applied.index)
    await kv.write([{ kind: 'put', key: identityKey, value: encodeIdentity(groupId) }])
    // Durable before any other row: rows without an identity are somebody else's.
    await kv.checkpoint()
  } else if (decodeIdentity(identity) !== groupId) {
    throw new StoreError('Incompatible', `the rows belong to group ${decodeIdentity(identity)}, the log to ${groupId}`)
  }
  if (applied.index < checkpointIndex) throw rowsLost(checkpointIndex, applied.index)
  if (applied.index > log.durableIndex) {
    throw new StoreError('Damaged', `the log ends at ${log.durableIndex}, before applied entry ${applied.index}`, {
      details: { appliedIndex: applied.index, lastIndex: log.durableIndex },
    })
  }
  if (log.firstIndex > checkpointIndex + 1) {
    throw new StoreError('Damaged', `the log starts at ${log.firstIndex}, behind checkpoint ${checkpointIndex}`, {
      details: { checkpointIndex, firstIndex: log.firstIndex },
    })
  }
  return applied
}

function rowsLost(checkpointIndex: number, appliedIndex: number): StoreError {
  const message = `the rows are those of entry ${appliedIndex}, but entry ${checkpointIndex} had been checkpointed`
  return new StoreError('Damaged', message, { details: { checkpointIndex, appliedIndex } })
}

async function loadLedger(kv: KvStore, ledger: RequestLedger): Promise<readonly BinaryKey[]> {
  const keys: BinaryKey[] = []
  const cursor = kv.cursor(ledgerRange)
  try {
    for (;;) {
      const chunks = await cursor.next(chunksPerRead)
      if (chunks.length === 0) return keys
      for (const { key, value } of chunks) {
        keys.push(key)
        ledger.restore(decodeLedgerChunk(value))
      }
    }
  } finally {
    await cursor.close()
  }
}

async function replay(
  env: Env,
  parts: { readonly log: SegmentedLog; readonly kv: KvStore; readonly ledger: RequestLedger },
  known: Applied,
): Promise<Applied> {
  const { log, kv } = parts
  let applied: Applied = { index: log.hardState.checkpointIndex, term: known.term, lastSequence: known.lastSequence }
  const reader = log.read(applied.index + 1)
  // The engine writes one batch while the next one is read and decoded.
  let writing: Promise<void> = Promise.resolve()
  try {
    for (;;) {
      const entries = await reader.next(log.durableIndex, replayBytes)
      const batch = new ReplayBatch(parts.ledger, applied)
      for (const entry of entries) batch.add(entry)
      await writing
      if (entries.length === 0) return applied
      applied = batch.applied
      env.at('store.recover.before-write')
      writing = kv.write(batch.writes())
    }
  } finally {
    await Promise.allSettled([writing])
    await reader.close()
  }
}

/** Merges entries: the last change of each row, the replies, how far they lead. */
class ReplayBatch {
  applied: Applied
  private readonly ledger: RequestLedger
  private readonly rows = new Map<BinaryKey, Uint8Array | undefined>()

  constructor(ledger: RequestLedger, applied: Applied) {
    this.ledger = ledger
    this.applied = applied
  }

  add(entry: LogEntry): void {
    const { rows, replies, wallMs, lastSequence } = decodeEntry(entry.payload)
    for (const { rowKey, value } of rows) this.rows.set(rowKey, value)
    // Copies: a reply stays for as long as the ledger's window, its entry's bytes should not.
    for (const { requestId, reply } of replies) {
      this.ledger.rememberReply(requestId, reply.slice(), { index: entry.index, wallMs })
    }
    const highest = Math.max(this.applied.lastSequence, lastSequence)
    this.applied = { index: entry.index, term: entry.term, lastSequence: highest }
  }

  writes(): readonly KvWrite[] {
    const batch: KvWrite[] = [{ kind: 'put', key: appliedKey, value: encodeApplied(this.applied) }]
    for (const [key, value] of this.rows) {
      batch.push(value === undefined ? { kind: 'delete', key } : { kind: 'put', key, value })
    }
    return batch
  }
}
