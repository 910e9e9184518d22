import fs from 'node:fs'
import net from 'node:net'
import { StoreError } from '../../errors.ts'
import type { Address, Connection, Listener, Network } from '../env.ts'
import { NodeConnection } from './node-connection.ts'

/** How long `connect` waits when the caller does not say. */
const defaultConnectTimeoutMs = 10_000

/** After so long without traffic the kernel asks whether the peer still lives. */
const keepAliveMs = 30_000

/** TCP and Unix-domain sockets. */
export class NodeNetwork implements Network {
  connect(address: Address, options: { readonly timeoutMs?: number } = {}): Promise<Connection> {
    const timeoutMs = options.timeoutMs ?? defaultConnectTimeoutMs
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
        const connection = new NodeConnection(socket, describe(address))
        socket.off('error', onError)
        resolve(connection)
      })
    })
  }

  async listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener> {
    try {
      return await bind(address, onConnection)
    } catch (error) {
      if (address.kind === 'tcp' || errnoOf(error) !== 'EADDRINUSE') throw error
      // Perhaps the socket file of a process that was killed. Connecting to any other kind of file is refused too.
      if (fs.lstatSync(address.path, { throwIfNoEntry: false })?.isSocket() !== true) throw error
      if (await answers(address)) throw error
      fs.rmSync(address.path, { force: true })
      return bind(address, onConnection)
    }
  }
}

function bind(address: Address, onConnection: (connection: Connection) => void): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = net.createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs },
      (socket) => {
        onConnection(new NodeConnection(socket, remoteOf(socket, address)))
      },
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

function describe(address: Address): string {
  return address.kind === 'tcp' ? `${address.host}:${address.port}` : address.path
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
