/**
 * Every open connection of a listener, looked at now and then: one whose client stands still is given up. Looking at all
 * of them every few seconds costs less than a timer for each request.
 */

import type { Socket } from 'node:net'
import type { Cancel, Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { Exchange } from './exchange.ts'
import type { HttpLimits } from './http-limits.ts'

interface Watched {
  /** The newest: the one whose body is being received. */
  exchange: Exchange | undefined
  receivedBytes: number
  receivedMs: number
  unsentBytes: number
  unsentMs: number
}

/** A stall is noticed at most this part of `stallMs` late. */
const sweepsPerStall = 10

export class Connections {
  private readonly clock: Clock
  private readonly limits: HttpLimits
  private readonly open = new Map<Socket, Watched>()
  private cancel: Cancel | undefined

  constructor(clock: Clock, limits: HttpLimits) {
    this.clock = clock
    this.limits = limits
  }

  get size(): number {
    return this.open.size
  }

  add(socket: Socket): void {
    const nowMs = this.clock.monotonicMs()
    this.open.set(socket, { exchange: undefined, receivedBytes: 0, receivedMs: nowMs, unsentBytes: 0, unsentMs: nowMs })
    socket.once('close', () => this.open.delete(socket))
    this.schedule()
  }

  begin(socket: Socket, exchange: Exchange): void {
    const watched = this.open.get(socket)
    if (watched === undefined) return
    watched.exchange = exchange
    watched.receivedBytes = 0
    watched.receivedMs = exchange.startMs
  }

  /** The exchange whose request is being received on this connection. */
  exchangeOn(socket: Socket): Exchange | undefined {
    return this.open.get(socket)?.exchange
  }

  /** Closes those on which nothing is under way and nothing waits to be sent. */
  closeIdle(): void {
    for (const [socket, { exchange }] of this.open) {
      if ((exchange === undefined || exchange.isFinished) && socket.writableLength === 0) socket.destroy()
    }
  }

  closeAll(): void {
    for (const socket of this.open.keys()) socket.destroy()
  }

  stop(): void {
    this.cancel?.()
    this.cancel = undefined
  }

  private schedule(): void {
    if (this.cancel !== undefined) return
    this.cancel = this.clock.after(this.limits.stallMs / sweepsPerStall, () => {
      this.cancel = undefined
      const nowMs = this.clock.monotonicMs()
      for (const [socket, watched] of this.open) this.look(socket, watched, nowMs)
      if (this.open.size > 0) this.schedule()
    })
  }

  private look(socket: Socket, watched: Watched, nowMs: number): void {
    const { stallMs, stallBytes } = this.limits
    const body = watched.exchange?.touchedBody
    if (body === undefined || !body.isAwaited || body.received - watched.receivedBytes >= stallBytes) {
      watched.receivedMs = nowMs
      watched.receivedBytes = body?.received ?? 0
    } else if (nowMs - watched.receivedMs >= stallMs) {
      const details = { stallMs, received: body.received }
      body.fail(new StoreError('IncompleteBody', 'the client stopped sending the body', { details }))
    }
    // One write at most is under way, of a piece: it has left, or it has not.
    const unsentBytes = socket.writableLength
    if (unsentBytes === 0 || unsentBytes !== watched.unsentBytes) {
      watched.unsentMs = nowMs
      watched.unsentBytes = unsentBytes
    } else if (nowMs - watched.unsentMs >= stallMs) socket.destroy()
  }
}
