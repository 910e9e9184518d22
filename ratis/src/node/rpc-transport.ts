import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { ClientAuthentication, RpcCall, RpcMethods } from '@o3/common/rpc'
import type { NodeId } from '../core/entry.ts'
import type { Message } from '../core/message.ts'
import { LateAnswers } from './late-answers.ts'
import { decodeBatch, type Batch } from './message-codec.ts'
import { parsePeerAddress } from './peer-address.ts'
import { defaultPeerLimits, messagesMethod, PeerLink, type PeerLimits } from './peer-link.ts'
import { Ticks } from './ticks.ts'
import type { RaftTransport } from './transport.ts'

export interface RpcTransportOptions {
  readonly env: Pick<Env, 'network' | 'clock' | 'tasks'>
  /** Where this process listens for its peers, as `parsePeerAddress` reads it: told with everything that it sends. */
  readonly address: string
  /** How this process proves to its peers who it is. */
  readonly authentication: ClientAuthentication
  readonly limits?: Partial<PeerLimits>
}

/**
 * Messages over the wire of our processes. What this process sends goes over connections of its own, one per peer process
 * (members at the same address share it); what it receives comes through the methods of `raftMethods`.
 */
export class RpcTransport implements RaftTransport {
  readonly ticks: Ticks
  private readonly options: RpcTransportOptions
  private readonly limits: PeerLimits
  private readonly addresses = new Map<NodeId, string>()
  private readonly links = new Map<string, PeerLink>()
  private readonly receivers = new Map<string, Set<(message: Message) => void>>()
  private readonly answers: LateAnswers
  private isClosed = false

  constructor(options: RpcTransportOptions) {
    this.options = options
    this.limits = { ...defaultPeerLimits, ...options.limits }
    this.ticks = new Ticks(options.env.clock)
    this.answers = new LateAnswers(options.env.clock, this.limits.maxCalls)
  }

  send(group: string, message: Message): boolean {
    const address = this.addresses.get(message.to)
    if (this.isClosed || address === undefined) return false
    return this.links.get(address)?.send(group, message) ?? false
  }

  /** Throws `InvalidArgument` for what is no address (see `parsePeerAddress`). */
  setAddress(id: NodeId, address: string): void {
    const before = this.addresses.get(id)
    if (before === address || this.isClosed) return
    if (!this.links.has(address)) {
      const { env, authentication, address: ownAddress } = this.options
      const at = parsePeerAddress(address)
      const link = new PeerLink({ env, authentication, ownAddress, limits: this.limits, address: at })
      this.links.set(address, link)
    }
    this.addresses.set(id, address)
    if (before === undefined || [...this.addresses.values()].includes(before)) return
    this.links.get(before)?.close()
    this.links.delete(before)
  }

  /** Members of one group that live in one process all hear its messages: each takes those that are to it. */
  receive(group: string, onMessage: (message: Message) => void): () => void {
    const receivers = this.receivers.get(group) ?? new Set()
    this.receivers.set(group, receivers)
    receivers.add(onMessage)
    return () => {
      receivers.delete(onMessage)
      if (receivers.size === 0 && this.receivers.get(group) === receivers) this.receivers.delete(group)
    }
  }

  close(): Promise<void> {
    this.isClosed = true
    this.answers.releaseAll()
    for (const link of this.links.values()) link.close()
    this.links.clear()
    this.addresses.clear()
    this.receivers.clear()
    return Promise.resolve()
  }

  /**
   * Hands on what a peer sent, in order. A group that is not here is like a message that was lost. Who speaks to us is answered
   * where it says it listens: a new member knows nobody, one that was away for long knows where others once were.
   */
  deliver({ sender, messages }: Batch): void {
    this.links.get(sender)?.heard()
    for (const { group, message } of messages) {
      const receivers = this.receivers.get(group)
      if (receivers === undefined) continue
      if (sender !== '') this.setAddress(message.from, sender)
      for (const receive of receivers) receive(message)
    }
  }

  /** When the answer to a batch that was delivered is to go out; undefined: at once. A large one gives much room back. */
  answer({ sender }: Batch, sizeBytes: number): Promise<void> | undefined {
    if (this.isClosed || sizeBytes > largeBatchBytes) return this.answers.release(sender)
    return this.answers.enter(sender)
  }
}

const largeBatchBytes = 64 * 1024

/** Whether a connection that was authenticated as `peer` may speak for the member `id`. */
export type MaySpeakFor<Peer> = (peer: Peer, id: NodeId) => boolean

/**
 * What the process's `RpcServer` has to serve so that its peers reach it. A batch is answered soon after it was handed on
 * (`LateAnswers`): nothing waits for disks. A batch in the name of somebody else is refused whole with `AccessDenied`.
 */
export function raftMethods<Peer>(transport: RpcTransport, maySpeakFor: MaySpeakFor<Peer>): RpcMethods<Peer> {
  return {
    [messagesMethod]: async (call) => {
      const bytes = call.body === undefined ? call.payload : await gathered(call)
      const batch = decodeBatch(bytes)
      const stranger = batch.messages.find(({ message }) => !maySpeakFor(call.peer, message.from))
      if (stranger !== undefined) {
        throw new StoreError('AccessDenied', `this connection may not speak for ${stranger.message.from}`)
      }
      transport.deliver(batch)
      await transport.answer(batch, bytes.length)
      return {}
    },
  }
}

/** A message holds one entry at least, and that fits into a log segment (64 MiB unless somebody chose more). */
const maxBodyBytes = 128 * 1024 * 1024

async function gathered<Peer>({ body }: RpcCall<Peer>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of body ?? []) {
    bytes += piece.length
    if (bytes > maxBodyBytes) throw new StoreError('TooLarge', 'a batch of raft messages is at most 128 MiB')
    pieces.push(piece)
  }
  return Buffer.concat(pieces, bytes)
}
