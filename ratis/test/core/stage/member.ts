/** A member on the stage: the core, a disk that keeps what was persisted, and a driver that does as the director says. */

import type { Configuration } from '../../../src/core/configuration.ts'
import { decodeConfiguration } from '../../../src/core/configuration.ts'
import { entryKind, type Entry } from '../../../src/core/entry.ts'
import type { Message, SnapshotChunk, SnapshotPlace } from '../../../src/core/message.ts'
import { RaftCore } from '../../../src/core/raft-core.ts'
import type { RaftOptions } from '../../../src/core/raft.ts'
import type { ChunkRead, Durable, Persist, Ready } from '../../../src/core/ready.ts'
import { showMessage, showPayload, showRole } from './show.ts'

/** What survives a crash. */
interface StageDisk {
  hardState: Durable
  entries: Entry[]
  /** The log begins behind this. */
  place: { readonly index: number; readonly term: number }
  configuration: Configuration
  configurationIndex: number
}

export class StageMember {
  readonly id: string
  readonly options: RaftOptions
  core: RaftCore
  disk: StageDisk
  private copied: { readonly disk: StageDisk; readonly applied: number } | undefined
  nowMs = 0
  isUp = true
  /** Writes wait for `persist`. */
  holdsWrites = false
  /** Reads of the disk and of snapshots wait for `answer`. */
  holdsReads = false
  /** It has no room for a snapshot. */
  isFull = false
  heldWrites: Persist[] = []
  heldReads: (() => void)[] = []
  applied = 0
  /** Snapshots that it has closed, and gives no piece of any more. */
  private closed = new Set<string>()
  private offered = new Set<string>()
  /** Reads that it has asked for since it started. */
  private reads = new Set<number>()
  private readonly say: (line: string) => void
  private readonly post: (message: Message) => void

  constructor(
    options: RaftOptions,
    start: { readonly configuration: Configuration; readonly mayVote: boolean },
    stage: { readonly say: (line: string) => void; readonly post: (message: Message) => void },
  ) {
    this.id = options.id
    this.options = options
    this.say = (line) => stage.say(`${this.id} ${line}`)
    this.post = stage.post
    this.disk = {
      hardState: { term: 0, vote: '', mayVote: start.mayVote },
      entries: [],
      place: { index: 0, term: 0 },
      configuration: start.configuration,
      configurationIndex: 0,
    }
    this.core = this.boot()
  }

  tick(ms: number): void {
    this.nowMs += ms
    if (this.isUp) this.core.tick(this.nowMs)
    this.drain()
  }

  step(message: Message): void {
    if (!this.isUp) return
    this.core.step(message)
    this.drain()
  }

  read(id: number): void {
    this.reads.add(id)
    const index = this.core.readIndex(id, this.nowMs)
    if (index !== undefined) this.say(`read ${id}: at once, from index ${index}`)
    this.drain()
  }

  closeSnapshots(): void {
    this.closed = this.offered
    this.offered = new Set()
  }

  crash(): void {
    this.isUp = false
    this.reads.clear()
    this.heldWrites = []
    this.heldReads = []
  }

  restart(): void {
    this.isUp = true
    this.core = this.boot()
    this.drain()
  }

  /** A new disk under the old name. */
  blank(): void {
    this.disk = {
      hardState: { term: 0, vote: '', mayVote: false },
      entries: [],
      place: { index: 0, term: 0 },
      configuration: { voters: [], outgoing: [], learners: [], learnersNext: [], addresses: {} },
      configurationIndex: 0,
    }
    this.applied = 0
  }

  copyDisk(): void {
    this.copied = { disk: { ...this.disk, entries: [...this.disk.entries] }, applied: this.applied }
  }

  /** Its disk is what it was when it was copied, and nothing says so. */
  becomeOld(): void {
    if (this.copied === undefined) throw new Error(`the disk of ${this.id} was not copied`)
    this.disk = this.copied.disk
    this.applied = this.copied.applied
  }

  /** Entries from `index` on no longer verify. */
  damage(index: number): void {
    this.disk.entries = this.disk.entries.filter((entry) => entry.index < index)
    this.disk.hardState = { ...this.disk.hardState, mayVote: false }
    this.applied = Math.min(this.applied, index - 1)
  }

  compact(index: number): void {
    const { disk } = this
    const last = disk.entries.find((entry) => entry.index === index)
    if (last === undefined) throw new Error(`${this.id} has no entry ${index}`)
    const gone = disk.entries.filter((entry) => entry.index <= index)
    for (const entry of gone) {
      if (entryKind(entry.payload) !== 'configuration') continue
      disk.configuration = decodeConfiguration(entry.payload)
      disk.configurationIndex = entry.index
    }
    disk.entries = disk.entries.filter((entry) => entry.index > index)
    disk.place = { index, term: last.term }
    this.core.compacted(index + 1)
    this.drain()
  }

  /** Completes the oldest writes under way. */
  persist(count: number): void {
    for (const write of this.heldWrites.splice(0, count)) this.complete(write)
    this.drain()
  }

  answerReads(): void {
    for (const answer of this.heldReads.splice(0)) answer()
    this.drain()
  }

  drain(): void {
    if (!this.isUp) return
    for (let ready = this.core.ready(); ready !== undefined; ready = this.core.ready()) this.carryOut(ready)
  }

  private carryOut(ready: Ready): void {
    if (ready.roleChange !== undefined) this.say(showRole(ready.roleChange))
    for (const message of ready.messages) this.sendOut(message)
    if (ready.persist !== undefined) {
      if (this.holdsWrites) this.heldWrites.push(ready.persist)
      else this.complete(ready.persist)
    }
    if (ready.apply !== undefined) this.apply(ready.apply.first, ready.apply.last)
    for (const { id, index } of ready.readStates) {
      if (!this.reads.delete(id)) this.say('hears an answer to nothing that it asked')
      else this.say(index === undefined ? `read ${id}: refused` : `read ${id}: from index ${index}`)
    }
    for (const { to, first, last } of ready.fetches) {
      this.later(() => {
        this.core.fetched(
          to,
          this.disk.entries.filter(({ index }) => index >= first && index <= last),
        )
      })
    }
    for (const read of ready.chunkReads) this.later(() => this.readChunk(read))
    for (const chunk of ready.chunks) this.later(() => this.storeChunk(chunk))
  }

  private later(act: () => void): void {
    if (this.holdsReads) this.heldReads.push(act)
    else act()
  }

  private complete(write: Persist): void {
    const { disk } = this
    if (write.hardState !== undefined) {
      disk.hardState = write.hardState
      const { term, vote, mayVote } = write.hardState
      this.say(`wrote term ${term}${vote === '' ? '' : `, vote ${vote}`}${mayVote ? '' : ', may not vote'}`)
    }
    if (write.install !== undefined) this.install(write.install)
    if (write.truncateFrom !== undefined) {
      const from = write.truncateFrom
      disk.entries = disk.entries.filter(({ index }) => index < from)
      this.say(`cut its log from ${from} on`)
    }
    if (write.entries.length > 0) {
      disk.entries.push(...write.entries)
      this.say(`wrote ${write.entries.map(showEntry).join(' ')}`)
    }
    this.core.persisted(write.id)
    for (const message of write.messages) this.sendOut(message)
  }

  private install(place: SnapshotPlace): void {
    this.disk.entries = []
    this.disk.place = place
    this.disk.configuration = place.configuration
    this.disk.configurationIndex = place.index
    this.applied = place.index
    this.say(`installed the snapshot of ${place.index}@${place.term}`)
  }

  private apply(first: number, last: number): void {
    const entries = this.disk.entries.filter(({ index }) => index >= first && index <= last)
    if (entries.length !== last - first + 1) throw new Error(`${this.id} was to apply what it does not have`)
    this.say(`applied ${entries.map(showEntry).join(' ')}`)
    this.applied = last
    this.core.applied(last)
  }

  private readChunk({ to, snapshot, position }: ChunkRead): void {
    const term = this.disk.entries.find(({ index }) => index === this.applied)?.term ?? this.disk.place.term
    const name = snapshot ?? `s${this.applied}@${term}`
    if (snapshot === undefined) this.closed.delete(name)
    if (this.closed.has(name)) return this.core.chunkFailed(to)
    this.offered.add(name)
    const [index, ofTerm] = name.slice(1).split('@').map(Number) as [number, number]
    const next = position === '' ? 'half' : undefined
    const place = { index, term: ofTerm }
    this.core.chunkRead(to, { snapshot: name, place, position, next, bytes: new Uint8Array(1), checksum: 0 })
  }

  private storeChunk(chunk: SnapshotChunk): void {
    if (this.isFull) return this.core.chunkRefused(chunk)
    this.say(`stored ${chunk.snapshot} ${chunk.position === '' ? 'first' : 'second'} half`)
    if (chunk.next !== undefined) this.core.chunkStored(chunk, chunk.next)
    else if (!this.core.snapshotStored(chunk)) this.say('has no need of it')
  }

  private sendOut(message: Message): void {
    this.say(showMessage(message))
    this.post(message)
  }

  private boot(): RaftCore {
    const { disk, options } = this
    const last = disk.entries.at(-1) ?? disk.place
    const runs = [
      ...(disk.place.index > 0 ? [{ term: disk.place.term, firstIndex: disk.place.index }] : []),
      ...disk.entries.map(({ term, index }) => ({ term, firstIndex: index })),
    ].filter((run, at, all) => at === 0 || run.term !== all[at - 1]?.term)
    this.applied = Math.min(this.applied, last.index)
    return new RaftCore(options, {
      hardState: disk.hardState,
      configuration: disk.configuration,
      configurationIndex: disk.configurationIndex,
      configurations: disk.entries
        .filter(({ payload }) => entryKind(payload) === 'configuration')
        .map(({ index, payload }) => ({ index, configuration: decodeConfiguration(payload) })),
      firstIndex: disk.place.index + 1,
      lastIndex: last.index,
      termRuns: runs,
      commitIndex: this.applied,
      appliedIndex: this.applied,
      nowMs: this.nowMs,
    })
  }
}

export const showEntry = ({ index, term, payload }: Entry): string => `${index}@${term}${showPayload(payload)}`
