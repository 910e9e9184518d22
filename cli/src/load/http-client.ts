/**
 * The smallest HTTP/1.1 client that can keep a server busy: one request at a time on one kept-alive socket, written as
 * prepared bytes, answers read for status and length only. `fetch` or an SDK would measure themselves.
 */

import { connect } from 'node:net'
import type { Socket } from 'node:net'

export interface Answer {
  readonly status: number
  readonly bodyBytes: number
}

export interface PreparedRequest {
  readonly head: Buffer
  /** Sent after the head; the same memory for every request. */
  readonly body?: readonly Buffer[]
  /** A HEAD: the answer states a length and has no body. */
  readonly bodiless?: boolean
}

export class LoadConnection {
  private readonly socket: Socket
  private settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined
  private pending: Buffer | undefined
  private status = 0
  private bodyBytes = 0
  private bodyLeft = -1
  private bodiless = false
  private failure: Error | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => this.receive(chunk))
    socket.on('error', (error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('the server closed the connection')))
  }

  static open(host: string, port: number): Promise<LoadConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true })
      socket.once('connect', () => resolve(new LoadConnection(socket)))
      socket.once('error', reject)
    })
  }

  /** Rejects when the server closes the connection, or has done so. */
  send(request: PreparedRequest): Promise<Answer> {
    if (this.failure !== undefined) return Promise.reject(this.failure)
    return new Promise((resolve, reject) => {
      this.settle = { resolve, reject }
      this.bodiless = request.bodiless === true
      this.socket.cork()
      this.socket.write(request.head)
      for (const piece of request.body ?? []) this.socket.write(piece)
      this.socket.uncork()
    })
  }

  close(): void {
    this.settle = undefined
    this.socket.destroy()
  }

  private receive(chunk: Buffer): void {
    if (this.bodyLeft >= 0) return this.consume(chunk.length)
    const bytes = this.pending === undefined ? chunk : Buffer.concat([this.pending, chunk])
    const end = bytes.indexOf('\r\n\r\n')
    if (end < 0) {
      this.pending = bytes
      return
    }
    this.pending = undefined
    const head = bytes.toString('latin1', 0, end)
    this.status = Number(head.slice(9, 12))
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    if (length === undefined && this.status !== 204 && this.status !== 304) {
      return this.fail(new Error(`an answer without a length: ${head.split('\r\n', 1)[0] ?? ''}`))
    }
    this.bodyBytes = this.bodiless ? 0 : Number(length ?? 0)
    this.bodyLeft = this.bodyBytes
    this.consume(bytes.length - end - 4)
  }

  private consume(bytes: number): void {
    this.bodyLeft -= bytes
    if (this.bodyLeft > 0) return
    this.bodyLeft = -1
    const { settle } = this
    this.settle = undefined
    settle?.resolve({ status: this.status, bodyBytes: this.bodyBytes })
  }

  private fail(error: Error): void {
    this.failure ??= error
    const { settle } = this
    this.settle = undefined
    settle?.reject(error)
  }
}
