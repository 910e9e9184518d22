import type net from 'node:net'
import { StoreError } from '../../errors.ts'
import type { Connection, PeerCertificate } from '../env.ts'
import { Inbox } from '../shared/inbox.ts'

/** Above this many unread bytes the socket is no longer read, and the peer feels it. */
const unreadMarkBytes = 256 * 1024

/** How long `close` waits for the peer to take what was sent, and to close too, before it cuts. */
const closeTimeoutMs = 2_000

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * A connection over a Node socket. Pieces go out in one `writev`; they are not copied, so the sender must leave them
 * alone until the peer has them.
 */
export class NodeConnection implements Connection {
  readonly remote: string
  readonly peerCertificate: PeerCertificate | undefined
  readonly received: Inbox
  readonly #socket: net.Socket
  #waiters: Waiter[] = []
  #failure: StoreError | undefined
  #closing: Promise<void> | undefined

  constructor(socket: net.Socket, remote: string, peerCertificate?: PeerCertificate) {
    this.remote = remote
    this.peerCertificate = peerCertificate
    this.#socket = socket
    this.received = new Inbox((queuedBytes) => {
      if (queuedBytes < unreadMarkBytes && socket.isPaused()) socket.resume()
    })
    socket.on('data', (chunk: Buffer) => {
      this.received.push(chunk)
      if (this.received.queuedBytes >= unreadMarkBytes && this.#closing === undefined) socket.pause()
    })
    socket.on('end', () => this.received.finish())
    socket.on('drain', () => this.#settleWaiters())
    socket.on('error', (error) => this.#break(error))
    socket.on('close', () => this.#break(undefined))
  }

  send(pieces: readonly Uint8Array[]): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(new StoreError('Closed', 'this connection was closed'))
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const socket = this.#socket
    socket.cork()
    for (const piece of pieces) socket.write(piece)
    socket.uncork()
    if (!socket.writableNeedDrain) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /**
   * Sends the end, and waits for the peer's. Closing at once would be a reset when there are unread bytes, and a reset
   * takes from the peer what it has not read yet.
   */
  #close(): Promise<void> {
    const socket = this.#socket
    this.received.finish()
    return new Promise((resolve) => {
      if (socket.destroyed) {
        resolve()
        return
      }
      const timer = setTimeout(() => socket.destroy(), closeTimeoutMs)
      socket.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
      socket.resume()
      socket.end()
    })
  }

  /** After an end that was asked for, by either side, this only stops further sends. */
  #break(cause: Error | undefined): void {
    this.#failure ??= new StoreError('Unavailable', `the connection to ${this.remote} is gone`, { cause })
    this.received.finish(this.#failure)
    this.#settleWaiters(this.#failure)
  }

  #settleWaiters(failure?: StoreError): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const { resolve, reject } of waiters) {
      if (failure === undefined) resolve()
      else reject(failure)
    }
  }
}
