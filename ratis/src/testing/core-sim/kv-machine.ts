import type { LogIndex, Term } from '../../api/api.ts'
import { decodeConfiguration, type Configuration } from '../../core/configuration.ts'
import { entryKind, type Entry } from '../../core/entry.ts'

export interface Request {
  readonly client: number
  /** 1, 2, 3 … of one client, which has one request under way. */
  readonly number: number
  readonly key: number
}

/** | version 1 | client | number, 4 bytes | key |, then as many bytes as wanted. */
export function encodeRequest({ client, number, key }: Request, sizeBytes: number): Uint8Array {
  const payload = new Uint8Array(Math.max(7, sizeBytes))
  const view = new DataView(payload.buffer)
  payload[0] = 1
  payload[1] = client
  view.setUint32(2, number)
  payload[6] = key
  return payload
}

export function decodeRequest(payload: Uint8Array): Request {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  return { client: view.getUint8(1), number: view.getUint32(2), key: view.getUint8(6) }
}

/** What the machine was after `index`. */
export interface MachineState {
  readonly index: LogIndex
  readonly term: Term
  readonly configuration: Configuration
  /** The entry that brought it; 0: the group started with it. */
  readonly configurationIndex: LogIndex
  /** Over the history: every index, term and request. All else is hashed anew, so a snapshot cannot lie. */
  readonly history: number
  /** Index of the last write, by key. */
  readonly keys: readonly (readonly [key: number, index: LogIndex])[]
  /** The last request of each client, and where it took effect. */
  readonly requests: readonly (readonly [client: number, number: number, index: LogIndex])[]
}

export interface Effect {
  readonly request: Request
  /** Where the request took effect: an earlier index when it was a repetition. */
  readonly index: LogIndex
  readonly isRepetition: boolean
}

/** A small deterministic state machine: keys, exactly-once requests, and a running hash over all of it. */
export class KvMachine {
  #index: LogIndex
  #term: Term
  #configuration: Configuration
  #configurationIndex: LogIndex
  #history: number
  #content = 0
  #group: number
  readonly #keys: Map<number, LogIndex>
  readonly #requests: Map<number, { readonly number: number; readonly index: LogIndex }>

  constructor(state: MachineState) {
    this.#index = state.index
    this.#term = state.term
    this.#configuration = state.configuration
    this.#configurationIndex = state.configurationIndex
    this.#group = groupMix(state.configuration)
    this.#history = state.history
    this.#keys = new Map(state.keys)
    this.#requests = new Map(state.requests.map(([client, number, index]) => [client, { number, index }]))
    for (const [key, index] of this.#keys) this.#content ^= mix(mix(1, key), index)
    for (const [client, { number, index }] of this.#requests) this.#content ^= requestMix(client, number, index)
  }

  get index(): LogIndex {
    return this.#index
  }

  get hash(): number {
    return mix(mix(this.#history, this.#content), this.#group)
  }

  get configuration(): Configuration {
    return this.#configuration
  }

  valueOf(key: number): LogIndex | undefined {
    return this.#keys.get(key)
  }

  state(): MachineState {
    return {
      index: this.#index,
      term: this.#term,
      configuration: this.#configuration,
      configurationIndex: this.#configurationIndex,
      history: this.#history,
      keys: [...this.#keys],
      requests: [...this.#requests].map(([client, { number, index }]) => [client, number, index] as const),
    }
  }

  apply({ index, term, payload }: Entry): Effect | undefined {
    this.#index = index
    this.#term = term
    this.#history = mix(mix(this.#history, index), term)
    const kind = entryKind(payload)
    if (kind === 'configuration') {
      this.#configuration = decodeConfiguration(payload)
      this.#configurationIndex = index
      this.#group = groupMix(this.#configuration)
    }
    return kind === 'command' ? this.#applyRequest(decodeRequest(payload), index) : undefined
  }

  #applyRequest(request: Request, index: LogIndex): Effect {
    const last = this.#requests.get(request.client)
    if (last !== undefined && request.number <= last.number) return { request, index: last.index, isRepetition: true }
    const { client, number, key } = request
    if (last !== undefined) this.#content ^= requestMix(client, last.number, last.index)
    this.#content ^= requestMix(client, number, index)
    this.#requests.set(client, { number, index })
    const before = this.#keys.get(key)
    if (before !== undefined) this.#content ^= mix(mix(1, key), before)
    this.#content ^= mix(mix(1, key), index)
    this.#keys.set(key, index)
    this.#history = mix(mix(mix(this.#history, client), number), key)
    return { request, index, isRepetition: false }
  }
}

const mix = (hash: number, value: number): number => Math.imul((hash << 5) ^ (hash >>> 27) ^ value, 0x9e3779b1)

const requestMix = (client: number, number: number, index: LogIndex): number => mix(mix(mix(2, client), number), index)

function groupMix({ voters, outgoing, learners, learnersNext }: Configuration): number {
  let hash = 3
  for (const ids of [voters, outgoing, learners, learnersNext]) {
    hash = mix(hash, ids.length)
    for (const id of ids) hash = mix(hash, id.charCodeAt(0))
  }
  return hash
}

export function encodeState(state: MachineState): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(state))
}

/** Throws when the bytes are not those of a state. */
export function decodeState(bytes: Uint8Array): MachineState {
  return JSON.parse(new TextDecoder().decode(bytes)) as MachineState
}
