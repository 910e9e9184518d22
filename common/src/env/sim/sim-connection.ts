import { StoreError } from '../../errors.ts'
import type { Connection, PeerCertificate } from '../env.ts'
import { Inbox } from '../shared/inbox.ts'
import type { Wire } from './wire.ts'

/** A sender waits above this many bytes that its peer has not taken. */
const sendMarkBytes = 256 * 1024

/** A receiver tells what it took in steps of at least this. */
const acknowledgeBytes = 32 * 1024

/** One delivery in so many comes in two chunks: streams have no frames. */
const splitShare = 0.2

/** A process, as the network sees it. */
export interface Endpoint {
  readonly node: string
  readonly isAlive: boolean
}

interface SimConnectionParts {
  readonly wire: Wire
  readonly process: Endpoint
  readonly remote: string
  readonly peerCertificate: PeerCertificate | undefined
  /** How likely a send breaks the connection. */
  readonly resetChance: () => number
  /** Whether the machine of this end has power. */
  readonly isPowered: () => boolean
  /** Called once, when this end is closed or broken. */
  readonly onOver: (connection: SimConnection) => void
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** One end of a connection; `join` makes the other one its peer. */
export class SimConnection implements Connection {
  readonly remote: string
  readonly peerCertificate: PeerCertificate | undefined
  readonly received: Inbox
  readonly process: Endpoint
  readonly #wire: Wire
  readonly #resetChance: () => number
  readonly #isPowered: () => boolean
  readonly #onOver: (connection: SimConnection) => void
  #peer: SimConnection = this
  #failure: StoreError | undefined
  #waiters: Waiter[] = []
  /** Sent, and not yet known to be taken. */
  #onTheWayBytes = 0
  /** Taken here, and not yet told. */
  #takenBytes = 0
  #lastArrivalMs = 0

  constructor({ wire, process, remote, peerCertificate, resetChance, isPowered, onOver }: SimConnectionParts) {
    this.#wire = wire
    this.process = process
    this.remote = remote
    this.peerCertificate = peerCertificate
    this.#resetChance = resetChance
    this.#isPowered = isPowered
    this.#onOver = onOver
    this.received = new Inbox(() => this.#acknowledge())
  }

  static join(a: SimConnection, b: SimConnection): void {
    a.#peer = b
    b.#peer = a
  }

  get peer(): SimConnection {
    return this.#peer
  }

  send(pieces: readonly Uint8Array[]): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
    if (length === 0) return Promise.resolve()
    if (this.#wire.random.chance(this.#resetChance())) {
      this.#carry('reset', () => this.#peer.fail())
      this.fail()
      return Promise.reject(this.#gone())
    }
    this.#onTheWayBytes += length
    // Copied late: who writes into what was handed over sends the wrong bytes, here as on a real socket.
    this.#carry(`${length} bytes`, () => this.#peer.#deliver(new Uint8Array(Buffer.concat(pieces))))
    if (this.#onTheWayBytes < sendMarkBytes) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
    })
  }

  close(): Promise<void> {
    if (this.#failure === undefined) {
      this.#carry('end', () => this.#peer.#end())
      this.received.finish()
      this.fail(new StoreError('Closed', 'this connection was closed'))
    }
    return Promise.resolve()
  }

  /** What the kernel does for a process that died. */
  abandon(how: 'end' | 'reset'): void {
    this.#carry(how, () => (how === 'end' ? this.#peer.#end() : this.#peer.fail()))
  }

  /** From now on nothing is sent or received here. */
  fail(failure = this.#gone()): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    this.received.finish(failure)
    this.#settleWaiters()
    this.#onOver(this)
  }

  #gone(): StoreError {
    return new StoreError('Unavailable', `the connection to ${this.remote} is gone`)
  }

  #end(): void {
    if (!this.process.isAlive) return
    this.received.finish()
    this.fail()
  }

  #deliver(bytes: Uint8Array): void {
    // A machine that has its power back does not know the connections of before, and says so to whoever uses one.
    if (!this.process.isAlive && this.#isPowered()) this.#carry('reset', () => this.#peer.fail())
    if (!this.process.isAlive || this.#failure !== undefined) return
    this.#takenBytes += bytes.length
    const { random } = this.#wire
    const cut = random.chance(splitShare) ? random.below(bytes.length) : 0
    if (cut > 0) this.received.push(bytes.subarray(0, cut))
    this.received.push(bytes.subarray(cut))
    this.#acknowledge()
  }

  #acknowledge(): void {
    const taken = this.#takenBytes - this.received.queuedBytes
    if (taken < acknowledgeBytes) return
    this.#takenBytes -= taken
    this.#carry('taken', () => this.#peer.#taken(taken))
  }

  #taken(bytes: number): void {
    this.#onTheWayBytes -= bytes
    if (this.#onTheWayBytes < sendMarkBytes) this.#settleWaiters()
  }

  #settleWaiters(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const { resolve, reject } of waiters) {
      if (this.#failure === undefined) resolve()
      else reject(this.#failure)
    }
  }

  #carry(name: string, deliver: () => void): void {
    const message = { from: this.process.node, to: this.#peer.process.node, name, deliver }
    this.#lastArrivalMs = this.#wire.send(message, this.#lastArrivalMs)
  }
}
