/**
 * The few facts that a log must never forget: who it is, term and vote, how far its entries are committed, checkpointed
 * and cut.
 *
 * The file holds two copies, each in a block of its own, and `save` writes and syncs one after the other. A cut in the
 * middle leaves the other copy whole, and at rest both say the same: a copy that rots later costs nothing either. (With
 * copies that alternate, a bad newest copy could be a torn write or rot, and falling back to the older one could forget
 * a vote.)
 */

import type { Disk, DiskFile, Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import { crc32c, groupIdBytes, groupIdText } from './checksum.ts'
import { damaged, foreign, isMissingFile, synced } from './damage.ts'
import { blockBytes, readU64, writeU64 } from './record.ts'

export interface HardState {
  /** 32 hex digits, drawn when the log was made. */
  readonly groupId: string
  readonly term: Term
  /** Whom this member voted for in `term`; empty: nobody. At most 64 bytes of ASCII. */
  readonly vote: string
  /**
   * False on a member that lost something it may have acknowledged: until it has all of it again, its vote could elect a
   * leader without a committed entry. It neither votes nor stands for election.
   */
  readonly mayVote: boolean
  /**
   * While `mayVote` is false: the highest index that this member may have acknowledged and lost; `unknownIndex` when
   * nobody can say: then it has to catch up with all that a leader holds. Otherwise 0.
   */
  readonly catchUpIndex: LogIndex
  /** Every entry up to here was committed: losing one is damage, never a torn tail. May lag behind. */
  readonly commitFloor: LogIndex
  /** The state machine's store holds every entry up to here durably. */
  readonly checkpointIndex: LogIndex
  /** The log's first entry; segments that end before it are leftovers of a removal. */
  readonly firstIndex: LogIndex
  /** The youngest segment that may hold entries. */
  readonly lastSequence: number
  /** The first index of that segment; 0 when a release that did not write it down made the segment. */
  readonly lastFirstIndex: LogIndex
}

/** An index that nobody knows: no log gets there. */
export const unknownIndex: LogIndex = Number.MAX_SAFE_INTEGER

export const hardStateName = 'hard-state'
const magic = 0x5348_334f // 'O3HS'
const version = 2
const checksummedFrom = 12
/** How far a copy reaches. Version 1 ends before `catchUpIndex`; whoever wrote it may vote. */
const recordEnd = 192
const recordEndOfVersion1 = 160
const voteBytes = 64

/**
 * Encodes one copy, a block; `generation` grows with every save.
 *
 * | at | size | field |
 * |---|---|---|
 * | 0 | 4 | magic `O3HS` |
 * | 4 | 4 | version |
 * | 8 | 4 | CRC32C of bytes 12–192 (12–160 in version 1) |
 * | 16 | 8 | generation |
 * | 24 | 16 | group id |
 * | 40 | 8 | term |
 * | 48 | 8 | commit floor |
 * | 56 | 8 | checkpoint |
 * | 64 | 8 | first index |
 * | 72 | 8 | last sequence |
 * | 80 | 4 + 64 | vote: length, bytes |
 * | 148 | 4 | 1 when the member may vote (from version 2) |
 * | 160 | 8 | catch-up index (from version 2) |
 * | 168 | 8 | first index of the last segment (from version 2) |
 */
export function encodeHardState(state: HardState, generation: number): Uint8Array {
  const bytes = new Uint8Array(blockBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, magic, true)
  view.setUint32(4, version, true)
  writeU64(view, 16, generation)
  bytes.set(groupIdBytes(state.groupId), 24)
  writeU64(view, 40, state.term)
  writeU64(view, 48, state.commitFloor)
  writeU64(view, 56, state.checkpointIndex)
  writeU64(view, 64, state.firstIndex)
  writeU64(view, 72, state.lastSequence)
  const vote = Buffer.from(state.vote, 'latin1')
  if (vote.length > voteBytes) throw new StoreError('InvalidArgument', 'a vote is at most 64 bytes')
  view.setUint32(80, vote.length, true)
  bytes.set(vote, 84)
  view.setUint32(148, state.mayVote ? 1 : 0, true)
  writeU64(view, 160, state.catchUpIndex)
  writeU64(view, 168, state.lastFirstIndex)
  view.setUint32(8, crc32c(bytes.subarray(checksummedFrom, recordEnd)), true)
  return bytes
}

/** Undefined when the copy does not verify. Throws `Incompatible` for another format. */
export function decodeHardState(
  bytes: Uint8Array,
  path: string,
): { readonly state: HardState; readonly generation: number } | undefined {
  if (bytes.length < recordEnd) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0, true) !== magic) return undefined
  const found = view.getUint32(4, true)
  const end = found === 1 ? recordEndOfVersion1 : recordEnd
  if (crc32c(bytes.subarray(checksummedFrom, end)) !== view.getUint32(8, true)) return undefined
  if (found !== 1 && found !== version) {
    throw foreign(path, `hard state of version ${found}; this release reads up to version ${version}`)
  }
  return {
    generation: readU64(view, 16),
    state: {
      groupId: groupIdText(bytes.subarray(24, 40)),
      term: readU64(view, 40),
      commitFloor: readU64(view, 48),
      checkpointIndex: readU64(view, 56),
      firstIndex: readU64(view, 64),
      lastSequence: readU64(view, 72),
      lastFirstIndex: found === 1 ? 0 : readU64(view, 168),
      vote: Buffer.from(bytes.subarray(84, 84 + Math.min(view.getUint32(80, true), voteBytes))).toString('latin1'),
      mayVote: found === 1 || view.getUint32(148, true) === 1,
      catchUpIndex: found === 1 ? 0 : readU64(view, 160),
    },
  }
}

/** The open hard-state file. Saves are done one after the other, in the order asked. */
export class HardStateFile {
  private readonly env: Env
  private readonly file: DiskFile
  private generation: number
  private latest: HardState
  private durable: HardState
  private saving: Promise<void> | undefined
  private tail: Promise<void> = Promise.resolve()
  private failure: StoreError | undefined

  private constructor(env: Env, file: DiskFile, found: { readonly state: HardState; readonly generation: number }) {
    this.env = env
    this.file = file
    this.latest = found.state
    this.durable = found.state
    this.generation = found.generation
  }

  /** As last saved, or asked to be. */
  get state(): HardState {
    return this.latest
  }

  /**
   * Undefined when the directory has none. Throws `Damaged` when neither copy verifies. Where the copies differ, the newer
   * one may be in the page cache only (a killed process left it there): it is made durable before anybody acts on it.
   */
  static async open(env: Env, directory: string): Promise<HardStateFile | undefined> {
    const path = `${directory}/${hardStateName}`
    const file = await openIfThere(env.disk, path)
    if (file === undefined) return undefined
    try {
      const found = await readCopies(file)
      if (found === undefined) throw damaged(path, 0, 'neither copy of the hard state verifies')
      const opened = new HardStateFile(env, file, found)
      if (!found.agree) await opened.save({})
      return opened
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Makes the file with its first state; it appears whole or not at all, and is durable when this resolves. */
  static async create(env: Env, directory: string, state: HardState): Promise<HardStateFile> {
    const path = `${directory}/${hardStateName}`
    const draft = `${path}.new`
    env.at('log.hard-state.before-create')
    if ((await env.disk.stat(draft)) !== undefined) await env.disk.remove(draft)
    const copy = encodeHardState(state, 1)
    const file = await env.disk.open(draft, 'create')
    try {
      await file.write([copy, copy], 0)
      await synced(file.sync())
    } finally {
      await file.close()
    }
    env.at('log.hard-state.before-rename')
    await env.disk.rename(draft, path)
    await synced(env.disk.syncDirectory(directory))
    return new HardStateFile(env, await env.disk.open(path, 'read-write'), { state, generation: 1 })
  }

  /**
   * Resolves when the change is durable. Rejects with `OutOfSpace` when the disk took nothing: a later save may succeed,
   * and takes this change along. Any other failure is final, for this save and all later ones.
   */
  save(change: Partial<Omit<HardState, 'groupId'>>): Promise<void> {
    const state: HardState = { ...this.latest, ...change }
    this.latest = state
    const done = this.tail.then(() => this.write(state))
    this.saving = done
    // The caller has the rejection; the queue only has to go on.
    this.tail = done
      .catch(() => undefined)
      .then(() => {
        if (this.saving === done) this.saving = undefined
      })
    return done
  }

  /** Whether term, vote and `mayVote` are durable as last asked. */
  get isVoteSaved(): boolean {
    const { latest, durable } = this
    return latest.term === durable.term && latest.vote === durable.vote && latest.mayVote === durable.mayVote
  }

  /** Resolves when all that was asked for until now is durable; tries again what a full disk refused. Rejects as `save`. */
  saved(): Promise<void> {
    return this.saving ?? (this.durable === this.latest ? this.tail : this.save({}))
  }

  async close(): Promise<void> {
    await this.tail
    await this.file.close()
  }

  private async write(state: HardState): Promise<void> {
    if (this.failure !== undefined) throw this.failure
    const copy = encodeHardState(state, ++this.generation)
    this.env.at('log.hard-state.before-write')
    await this.writeCopy(copy, 0)
    this.env.at('log.hard-state.between-copies')
    await this.writeCopy(copy, blockBytes)
    this.durable = state
    this.env.at('log.hard-state.after-sync')
  }

  private async writeCopy(copy: Uint8Array, at: number): Promise<void> {
    try {
      await this.file.write([copy], at)
      await synced(this.file.sync())
    } catch (error) {
      if (!isStoreError(error, 'OutOfSpace')) this.failure = StoreError.from(error)
      throw error
    }
  }
}

async function openIfThere(disk: Disk, path: string): Promise<DiskFile | undefined> {
  try {
    return await disk.open(path, 'read-write')
  } catch (error) {
    if (isMissingFile(error)) return undefined
    throw error
  }
}

async function readCopies(
  file: DiskFile,
): Promise<{ readonly state: HardState; readonly generation: number; readonly agree: boolean } | undefined> {
  const bytes = new Uint8Array(2 * blockBytes)
  const length = await file.read(bytes, 0)
  const [first, second] = [0, blockBytes].map((at) =>
    decodeHardState(bytes.subarray(at, Math.min(at + blockBytes, length)), file.path),
  )
  const newest = (first?.generation ?? -1) >= (second?.generation ?? -1) ? first : second
  return newest && { ...newest, agree: first?.generation === second?.generation }
}
