import type { Address, Cancel, Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { defaultRpcLimits, RpcClient, type ClientAuthentication } from '@o3/common/rpc'
import type { Message } from '../core/message.ts'
import { encodeBatch, messageBytes, type Addressed } from './message-codec.ts'

/** The bounds of what is on its way to one peer. */
export interface PeerLimits {
  /** Batches under way; what is sent meanwhile gathers for the next. Default 8. */
  readonly maxCalls: number
  /** Bytes gathered and under way; beyond, `send` refuses. One message alone may be larger. Default 32 MiB. */
  readonly maxBytes: number
  /** Of one batch, if its first message is not larger. Default 1 MiB. */
  readonly maxBatchBytes: number
  /** A batch that is not taken for so long: the connection is cut. Default 2,000. */
  readonly answerMs: number
  /** The first pause after a connection was lost; it doubles up to `longestPauseMs`. Defaults 20 and 250: so long a member that is back may wait. */
  readonly firstPauseMs: number
  readonly longestPauseMs: number
  /** How often an empty batch tries the connection, when nothing is under way. Default 1,000. */
  readonly probeMs: number
}

export const defaultPeerLimits: PeerLimits = {
  maxCalls: 8,
  maxBytes: 32 * 1024 * 1024,
  maxBatchBytes: 1024 * 1024,
  answerMs: 2_000,
  firstPauseMs: 20,
  longestPauseMs: 250,
  probeMs: 1_000,
}

export const messagesMethod = 'raft.messages.1'

/** A longer batch (one large entry) goes as a body, piece by piece, so that no payload limit stands in its way. */
const maxPayloadBytes = defaultRpcLimits.maxPayloadBytes / 2

/** Such a batch gets more time than `answerMs`. */
const slowestBytesPerMs = 4096

const noPayload = new Uint8Array(0)

export interface PeerLinkOptions {
  readonly env: Pick<Env, 'network' | 'clock' | 'tasks'>
  readonly address: Address
  /** Where this process listens. */
  readonly ownAddress: string
  readonly authentication: ClientAuthentication
  readonly limits: PeerLimits
}

/**
 * What goes to one process. The answer to a batch says that it was taken, and nothing else: it gives its bytes back. All
 * that is sent in one turn of the loop leaves as one batch, whatever groups it is of, and while as many batches are under
 * way as may be, the next one grows.
 *
 * When the connection is lost, so is all that was gathered and under way. The next append of each group that lost appends is
 * refused: so its leader learns that it has to ask where the peer stands. Other messages are never refused for that: a
 * question for votes that is dropped because an answer to the last leader was lost costs the group an election timeout.
 *
 * The connection is there before it is needed, and an idle one is tried now and then: followers say nothing to each other
 * until their leader is gone, and two whose questions for votes first had to dial would ask in the same moment, and split the
 * votes.
 */
export class PeerLink {
  private readonly options: PeerLinkOptions
  private client: RpcClient | undefined
  private queue: Addressed[] = []
  private queuedBytes = 0
  /** Batches, and what each counts. */
  private readonly underWay = new Map<readonly Addressed[], number>()
  private underWayBytes = 0
  private isScheduled = false
  private pausedUntilMs = -Infinity
  private pauseMs: number
  private readonly losers = new Set<string>()
  private cancelProbe: Cancel
  private isClosed = false

  constructor(options: PeerLinkOptions) {
    this.options = options
    this.pauseMs = options.limits.firstPauseMs
    this.cancelProbe = options.env.clock.after(0, () => this.probe())
  }

  send(group: string, message: Message): boolean {
    const { clock } = this.options.env
    if (this.isClosed || clock.monotonicMs() < this.pausedUntilMs) return false
    if (message.kind === 'append' && this.losers.delete(group)) return false
    const bytes = messageBytes(message)
    const heldBytes = this.queuedBytes + this.underWayBytes
    if (heldBytes > 0 && heldBytes + bytes > this.options.limits.maxBytes) return false
    this.queue.push({ group, message })
    this.queuedBytes += bytes
    this.schedule()
    return true
  }

  /** The peer has spoken to us: it is there, and is answered without a pause. */
  heard(): void {
    this.pausedUntilMs = -Infinity
    this.pauseMs = this.options.limits.firstPauseMs
  }

  close(): void {
    this.isClosed = true
    this.cancelProbe()
    this.forget()
  }

  private probe(): void {
    if (this.underWay.size === 0 && this.options.env.clock.monotonicMs() >= this.pausedUntilMs) this.begin([], 0)
    if (!this.isClosed) this.cancelProbe = this.options.env.clock.after(this.options.limits.probeMs, () => this.probe())
  }

  private schedule(): void {
    if (this.isScheduled || this.underWay.size >= this.options.limits.maxCalls) return
    this.isScheduled = true
    this.options.env.tasks.nextTurn(() => {
      this.isScheduled = false
      this.flush()
    })
  }

  private flush(): void {
    while (this.queue.length > 0 && this.underWay.size < this.options.limits.maxCalls) this.beginNext()
  }

  private beginNext(): void {
    const { maxBatchBytes } = this.options.limits
    let bytes = 0
    let count = 0
    for (const { message } of this.queue) {
      const size = messageBytes(message)
      if (count > 0 && bytes + size > maxBatchBytes) break
      bytes += size
      count++
    }
    const batch = this.queue.splice(0, count)
    this.queuedBytes -= bytes
    this.begin(batch, bytes)
  }

  private begin(batch: readonly Addressed[], bytes: number): void {
    this.underWay.set(batch, bytes)
    this.underWayBytes += bytes
    this.deliver(batch).then(
      () => this.taken(batch),
      (error: unknown) => this.lost(batch, StoreError.from(error)),
    )
  }

  private async deliver(batch: readonly Addressed[]): Promise<void> {
    const bytes = encodeBatch({ sender: this.options.ownAddress, messages: batch })
    const { answerMs } = this.options.limits
    this.client ??= this.connect()
    if (bytes.length <= maxPayloadBytes) {
      await this.client.call(messagesMethod, bytes, { deadlineMs: answerMs })
    } else {
      const deadlineMs = answerMs + bytes.length / slowestBytesPerMs
      await this.client.call(messagesMethod, noPayload, { deadlineMs, body: bytes })
    }
  }

  private connect(): RpcClient {
    const { env, address, authentication, limits } = this.options
    return new RpcClient({
      ...env,
      address,
      authentication,
      limits: { handshakeTimeoutMs: limits.answerMs },
      redialAfterMs: 0, // the pauses are ours
    })
  }

  private taken(batch: readonly Addressed[]): void {
    if (!this.settle(batch)) return
    this.pauseMs = this.options.limits.firstPauseMs
    if (this.queue.length > 0) this.schedule()
  }

  private lost(batch: readonly Addressed[], error: StoreError): void {
    if (!this.settle(batch)) return
    this.noteLost(batch)
    if (error.code === 'Busy') {
      // The connection is good; the peer has no room for one more call.
      if (this.queue.length > 0) this.schedule()
      return
    }
    this.forget()
    this.pausedUntilMs = this.options.env.clock.monotonicMs() + this.pauseMs
    this.pauseMs = Math.min(2 * this.pauseMs, this.options.limits.longestPauseMs)
  }

  /** False for a batch of a connection that was cut meanwhile. */
  private settle(batch: readonly Addressed[]): boolean {
    this.underWayBytes -= this.underWay.get(batch) ?? 0
    return this.underWay.delete(batch)
  }

  /** Cuts the connection, with all that was to go over it. */
  private forget(): void {
    for (const batch of this.underWay.keys()) this.noteLost(batch)
    this.noteLost(this.queue)
    this.queue = []
    this.queuedBytes = 0
    this.underWay.clear()
    this.underWayBytes = 0
    this.client?.close()
    this.client = undefined
  }

  private noteLost(messages: readonly Addressed[]): void {
    for (const { group, message } of messages) if (message.kind === 'append') this.losers.add(group)
  }
}
