/** TCP and Unix-domain sockets as the ports of the network need them: dialled, bound, and their failures as `StoreError`. */

import fs from 'node:fs'
import net from 'node:net'
import { StoreError } from '../../errors.ts'
import type { Address, Listener } from '../env.ts'

/** How long `dial` waits when the caller does not say. */
export const defaultConnectTimeoutMs = 10_000

/** After so long without traffic the kernel asks whether the peer still lives. */
const keepAliveMs = 30_000

/** A connected socket. `Unavailable` when nobody answers in time. */
export function dial(address: Address, timeoutMs: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({
      ...socketOptions(address),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
    })
    const fail = (error: unknown, errno: string): void => {
      clearTimeout(timer)
      socket.destroy()
      reject(
        new StoreError('Unavailable', `cannot connect to ${describe(address)}: ${errno}`, {
          details: { errno, address: describe(address) },
          cause: error,
        }),
      )
    }
    const onError = (error: NodeJS.ErrnoException): void => fail(error, error.code ?? 'unknown')
    const timer = setTimeout(() => fail(undefined, 'ETIMEDOUT'), timeoutMs)
    socket.once('error', onError)
    socket.once('connect', () => {
      clearTimeout(timer)
      resolve(socket)
      // Whoever resumes with the socket listens from the same turn on.
      socket.off('error', onError)
    })
  })
}

/** Listens, also at the socket file of a process that was killed. `Busy`, `InvalidArgument`. */
export async function bind(
  address: Address,
  onSocket: (socket: net.Socket, remote: string) => void,
): Promise<Listener> {
  try {
    return await bindOnce(address, onSocket)
  } catch (error) {
    if (address.kind === 'tcp' || errnoOf(error) !== 'EADDRINUSE') throw error
    // Perhaps the socket file of a process that was killed. Connecting to any other kind of file is refused too.
    if (fs.lstatSync(address.path, { throwIfNoEntry: false })?.isSocket() !== true) throw error
    if (await answers(address)) throw error
    fs.rmSync(address.path, { force: true })
    return bindOnce(address, onSocket)
  }
}

/** For messages. */
export function describe(address: Address): string {
  return address.kind === 'tcp' ? `${address.host}:${address.port}` : address.path
}

function bindOnce(address: Address, onSocket: (socket: net.Socket, remote: string) => void): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs }, (socket) =>
      onSocket(socket, remoteOf(socket, address)),
    )
    // Later errors are of one connection that could not be accepted (no descriptor left): its peer sees that.
    server.on('error', (error: NodeJS.ErrnoException) => {
      const errno = error.code ?? 'unknown'
      const details = { errno, address: describe(address) }
      const code = errno === 'EADDRINUSE' ? 'Busy' : 'InvalidArgument'
      reject(new StoreError(code, `cannot listen on ${describe(address)}: ${errno}`, { details, cause: error }))
    })
    server.listen(socketOptions(address), () => resolve(new NodeListener(server, boundAddress(server, address))))
  })
}

class NodeListener implements Listener {
  readonly address: Address
  readonly #server: net.Server

  constructor(server: net.Server, address: Address) {
    this.#server = server
    this.address = address
  }

  /** Stops accepting; connections that exist live on. */
  close(): Promise<void> {
    if (this.#server.listening) this.#server.close()
    return Promise.resolve()
  }
}

/** Whether a process listens on this Unix-domain socket. */
function answers(address: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(socketOptions(address))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'))
  })
}

function socketOptions(address: Address): { host: string; port: number } | { path: string } {
  return address.kind === 'tcp' ? { host: address.host, port: address.port } : { path: address.path }
}

function remoteOf(socket: net.Socket, address: Address): string {
  return socket.remoteAddress === undefined ? describe(address) : `${socket.remoteAddress}:${socket.remotePort}`
}

function boundAddress(server: net.Server, asked: Address): Address {
  const bound = server.address()
  if (asked.kind === 'unix' || bound === null || typeof bound === 'string') return asked
  return { kind: 'tcp', host: asked.host, port: bound.port }
}

function errnoOf(error: unknown): unknown {
  return error instanceof StoreError ? error.details['errno'] : undefined
}
