import type { Disk } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import { decodeConfiguration, type Configuration } from '../core/configuration.ts'
import { entryKind, type Entry } from '../core/entry.ts'
import type { SegmentedLog } from '../log/segmented-log.ts'
import type { Consensus, SnapshotReceiver, SnapshotSource, StateMachine } from '../node/consensus.ts'
import type { RecoveredMachine } from '../node/open-raft-node.ts'

interface Place {
  readonly index: LogIndex
  readonly term: Term
}

/** What is on disk, and what a snapshot is. */
interface Saved {
  readonly place: Place
  readonly configuration: { readonly index: LogIndex; readonly configuration: Configuration } | undefined
  readonly items: readonly string[]
  /** A snapshot was put here, and the log may not know yet. */
  readonly resetsLog: boolean
}

interface Waiting {
  readonly term: Term
  readonly resolve: (index: LogIndex) => void
  readonly reject: (error: StoreError) => void
}

const version = 1

/** A command of `ListMachine`: appends `text` to the list. */
export function listCommand(text: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(version), Buffer.from(text)])
}

/** The simplest state machine: the list of everything that was committed, with a file for its checkpoints. */
export class ListMachine implements StateMachine {
  readonly items: string[] = []
  /** What it was told, in order: `follow 2 b`, `lead 3`, `fail`. */
  readonly told: string[] = []
  /** Snapshots that are open. */
  openSources = 0
  installs = 0
  private readonly disk: Disk
  private readonly path: string
  private place: Place = { index: 0, term: 0 }
  private configuration: Saved['configuration']
  private leadTerm: Term | undefined
  private readonly waiting = new Map<LogIndex, Waiting>()
  private node: Consensus | undefined

  /** `directory` exists. */
  constructor(disk: Disk, directory: string) {
    this.disk = disk
    this.path = `${directory}/list`
  }

  get appliedIndex(): LogIndex {
    return this.place.index
  }

  get isLeading(): boolean {
    return this.leadTerm !== undefined
  }

  async recover(log: SegmentedLog): Promise<RecoveredMachine> {
    const saved = await this.load()
    if (saved !== undefined) {
      this.adopt(saved)
      if (saved.resetsLog) {
        await log.resetTo(saved.place)
        await this.save(false)
      }
    }
    const { place, configuration } = this
    return { machine: this, appliedIndex: place.index, appliedTerm: place.term, configuration }
  }

  attach(node: Consensus): void {
    this.node = node
  }

  /** Resolves with the index when it is applied. Rejects as `Consensus.propose`, or with `OutcomeUnknown`. */
  propose(text: string): Promise<LogIndex> {
    return new Promise((resolve, reject) => {
      const { node, leadTerm } = this
      if (node === undefined || leadTerm === undefined) throw new StoreError('NotLeader', 'this member does not lead')
      this.waiting.set(node.propose(listCommand(text)), { term: leadTerm, resolve, reject })
    })
  }

  /** Saves the state, and lets the log be cut behind it. */
  async checkpoint(keepBytes = 0): Promise<void> {
    const { index } = this.place
    await this.save(false)
    await this.node?.checkpointed(index, keepBytes)
  }

  apply(entries: readonly Entry[]): undefined {
    for (const { index, term, payload } of entries) {
      if (index !== this.place.index + 1) throw new Error(`entry ${index} was applied behind ${this.place.index}`)
      this.place = { index, term }
      const kind = entryKind(payload)
      if (kind === 'command') this.items.push(Buffer.from(payload.subarray(1)).toString())
      if (kind === 'configuration') this.configuration = { index, configuration: decodeConfiguration(payload) }
      this.settle(index, term)
    }
  }

  refuse(from: LogIndex, error: StoreError): void {
    throw new Error(`entry ${from} was refused after it was taken: ${error.message}`)
  }

  lead(term: Term): void {
    this.told.push(`lead ${term}`)
    this.leadTerm = term
  }

  follow({ term, leader }: { readonly term: Term; readonly leader: string | undefined }): void {
    this.told.push(`follow ${term} ${leader ?? '-'}`)
    this.leadTerm = undefined
    this.abandon(new StoreError('OutcomeUnknown', 'the lead was lost'))
  }

  fail(error: StoreError): void {
    this.told.push('fail')
    this.leadTerm = undefined
    this.abandon(error)
  }

  openSnapshot(): Promise<SnapshotSource> {
    this.openSources++
    const bytes = encode(this.saved(false))
    const { index, term } = this.place
    let isOpen = true
    return Promise.resolve({
      index,
      term,
      read: (position, maxBytes) => {
        const from = Number(position === '' ? 0 : position)
        const to = Math.min(bytes.length, from + maxBytes)
        return Promise.resolve({
          bytes: bytes.subarray(from, to),
          next: to === bytes.length ? undefined : String(to),
        })
      },
      close: () => {
        if (isOpen) this.openSources--
        isOpen = false
        return Promise.resolve()
      },
    })
  }

  openReceiver(): Promise<SnapshotReceiver> {
    const pieces: Uint8Array[] = []
    return Promise.resolve({
      wanted: '',
      store: (_position, _next, bytes) => {
        pieces.push(bytes)
        return Promise.resolve()
      },
      install: async (place, resetLog) => {
        const { items, configuration } = decode(Buffer.concat(pieces))
        await this.write({ place, items, configuration, resetsLog: true })
        await resetLog()
        this.adopt({ place, items, configuration, resetsLog: false })
        this.installs++
        await this.save(false)
      },
      discard: () => Promise.resolve(),
    })
  }

  private settle(index: LogIndex, term: Term): void {
    const waiting = this.waiting.get(index)
    if (waiting === undefined) return
    this.waiting.delete(index)
    if (waiting.term === term) waiting.resolve(index)
    else waiting.reject(new StoreError('OutcomeUnknown', 'another leader put something else there'))
  }

  private abandon(error: StoreError): void {
    for (const { reject } of this.waiting.values()) reject(error)
    this.waiting.clear()
  }

  private adopt({ place, items, configuration }: Saved): void {
    this.place = place
    this.items.splice(0, Infinity, ...items)
    this.configuration = configuration
  }

  private saved(resetsLog: boolean): Saved {
    return { place: this.place, configuration: this.configuration, items: [...this.items], resetsLog }
  }

  private save(resetsLog: boolean): Promise<void> {
    return this.write(this.saved(resetsLog))
  }

  private async write(saved: Saved): Promise<void> {
    const draft = `${this.path}.new`
    if ((await this.disk.stat(draft)) !== undefined) await this.disk.remove(draft)
    const file = await this.disk.open(draft, 'create')
    await file.write([encode(saved)], 0)
    await file.sync()
    await file.close()
    await this.disk.rename(draft, this.path)
    await this.disk.syncDirectory(this.path.slice(0, this.path.lastIndexOf('/')))
  }

  private async load(): Promise<Saved | undefined> {
    if ((await this.disk.stat(this.path)) === undefined) return undefined
    const file = await this.disk.open(this.path, 'read')
    const bytes = new Uint8Array(await file.size())
    await file.read(bytes, 0)
    await file.close()
    return decode(bytes)
  }
}

function encode(saved: Saved): Uint8Array {
  return Buffer.from(JSON.stringify(saved))
}

function decode(bytes: Uint8Array): Saved {
  return JSON.parse(Buffer.from(bytes).toString()) as Saved
}
