import { crc32c } from '../../log/checksum.ts'
import type { LogIndex, Term } from '../../api/api.ts'
import type { NodeId } from '../../core/entry.ts'
import type { SnapshotChunk, SnapshotPlace } from '../../core/message.ts'
import { decodeState, encodeState, type MachineState } from './kv-machine.ts'

/** How many snapshots it keeps open for followers, and received whole. */
const kept = 3

export type ChunkOfSnapshot = Pick<SnapshotChunk, 'snapshot' | 'position' | 'next' | 'bytes' | 'checksum'> & {
  readonly place: Pick<SnapshotPlace, 'index' | 'term'>
}

interface Offered {
  readonly bytes: Uint8Array
  readonly index: LogIndex
  readonly term: Term
}

interface Incoming {
  readonly snapshot: string
  readonly pieces: Uint8Array[]
  wanted: string
}

/** Snapshots on their way out and in. Those in parts survive a restart, as files would. */
export class SnapshotDesk {
  readonly #id: NodeId
  readonly #chunks: number
  readonly #offered = new Map<string, Offered>()
  #made = 0
  #incoming: Incoming | undefined
  #whole: MachineState[] = []

  constructor(id: NodeId, chunks: number) {
    this.#id = id
    this.#chunks = chunks
  }

  /** The next piece; undefined when the snapshot is gone. `state` gives a new one. */
  read(snapshot: string | undefined, position: string, state: () => MachineState): ChunkOfSnapshot | undefined {
    const name = snapshot ?? this.#offer(state())
    const offered = this.#offered.get(name)
    if (offered === undefined) return undefined
    const { bytes, index, term } = offered
    const from = position === '' ? 0 : Number(position)
    const to = Math.min(bytes.length, from + Math.ceil(bytes.length / this.#chunks))
    const piece = bytes.subarray(from, to)
    return {
      snapshot: name,
      position,
      next: to < bytes.length ? String(to) : undefined,
      bytes: piece,
      checksum: crc32c(piece),
      place: { index, term },
    }
  }

  #offer(state: MachineState): string {
    const name = `${this.#id}-${state.index}-${++this.#made}`
    this.#offered.set(name, { bytes: encodeState(state), index: state.index, term: state.term })
    for (const old of [...this.#offered.keys()].slice(0, -kept)) this.#offered.delete(old)
    return name
  }

  /** Where the next piece of this snapshot is wanted, after this one. `whole`: it was the last. */
  store(chunk: SnapshotChunk): { readonly kind: 'wanted'; readonly position: string } | { readonly kind: 'whole' } {
    if (this.#incoming?.snapshot !== chunk.snapshot) {
      if (chunk.position !== '') return { kind: 'wanted', position: '' }
      this.#incoming = { snapshot: chunk.snapshot, pieces: [], wanted: '' }
    }
    const incoming = this.#incoming
    if (chunk.position !== incoming.wanted) return { kind: 'wanted', position: incoming.wanted }
    incoming.pieces.push(chunk.bytes)
    if (chunk.next !== undefined) {
      incoming.wanted = chunk.next
      return { kind: 'wanted', position: chunk.next }
    }
    this.#incoming = undefined
    const state = decodeState(joined(incoming.pieces))
    this.#whole = [...this.#whole, { ...state, configuration: chunk.place.configuration }].slice(-kept)
    return { kind: 'whole' }
  }

  received(place: SnapshotPlace): MachineState | undefined {
    return this.#whole.findLast(({ index, term }) => index === place.index && term === place.term)
  }

  /** The process ended: open snapshots are gone; of what was received, parts may be kept. */
  restart(parts: 'kept' | 'lost'): void {
    this.#offered.clear()
    this.#whole = []
    if (parts === 'lost') this.#incoming = undefined
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}
