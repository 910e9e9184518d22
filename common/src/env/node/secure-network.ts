import type net from 'node:net'
import tls from 'node:tls'
import { StoreError } from '../../errors.ts'
import type { Address, Connection, Credentials, Listener, Network, PeerCertificate, SecureOptions } from '../env.ts'
import { admit, awaitAdmission, refuse } from './admission.ts'
import { certificateOf, distrustOf, refusalOf } from './peer-trust.ts'
import { NodeConnection } from './node-connection.ts'
import { bind, defaultConnectTimeoutMs, describe, dial } from './sockets.ts'

/** Handshakes under way at one listener: each costs a signature, and proves nothing yet. Beyond it sockets are closed. */
const maxHandshakes = 128

/** Strangers have one thing to ask, and must not take the places of those who have proved something. */
const maxStrangers = 16
const strangerMs = 30_000

/** From the accepted socket to the finished handshake. */
const handshakeTimeoutMs = 5_000

/** No older version, and nobody who meant another protocol gets further than the greeting. */
const versions = {
  ecdhCurve: 'X25519',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256',
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
} as const
const protocols = ['o3/1']

/**
 * Mutual TLS 1.3 over sockets. Our own code says yes or no to a certificate whose chain OpenSSL has verified, and the
 * listener tells the other end (`admission.ts`), so that both know why a connection did not come about.
 *
 * Sessions are never resumed: a full handshake costs two milliseconds of CPU, both ends together, connections stay open
 * for days, and a resumed session would stand on the certificate of the day on which it began.
 */
export class SecureNetwork implements Network {
  readonly #options: SecureOptions
  #made: { readonly of: Credentials; readonly context: tls.SecureContext } | undefined

  constructor(options: SecureOptions) {
    this.#options = options
  }

  async connect(address: Address, options: { readonly timeoutMs?: number } = {}): Promise<Connection> {
    const timeoutMs = options.timeoutMs ?? defaultConnectTimeoutMs
    const sinceMs = performance.now()
    const socket = await dial(address, timeoutMs)
    return await this.#greet(socket, describe(address), timeoutMs - (performance.now() - sinceMs))
  }

  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener> {
    const gate = new Gate(this.#options, onConnection)
    return bind(address, (socket, remote) => gate.receive(socket, remote))
  }

  secured(options: SecureOptions): Network {
    return new SecureNetwork(options)
  }

  async #greet(raw: net.Socket, remote: string, timeoutMs: number): Promise<Connection> {
    const socket = tls.connect({
      socket: raw,
      secureContext: this.#context(),
      ALPNProtocols: protocols,
      // Names are ours, and are looked at below; OpenSSL has verified the chain.
      checkServerIdentity: () => undefined,
    })
    const failed = failureOf(socket, remote)
    const timer = setTimeout(() => {
      socket.destroy(new StoreError('Unavailable', `${remote} did not finish the handshake`))
    }, timeoutMs)
    try {
      await Promise.race([new Promise<void>((resolve) => socket.once('secureConnect', resolve)), failed.promise])
      const certificate = this.#serverOf(socket, remote)
      await Promise.race([awaitAdmission(socket, remote), failed.promise])
      const connection = new NodeConnection(socket, remote, certificate)
      failed.ignore()
      return connection
    } catch (error) {
      socket.destroy()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Reading keys and certificates costs as much as the rest of a handshake; they change once in months. */
  #context(): tls.SecureContext {
    const credentials = this.#options.credentials()
    if (this.#made?.of !== credentials) {
      this.#made = { of: credentials, context: tls.createSecureContext(contextOf(credentials)) }
    }
    return this.#made.context
  }

  #serverOf(socket: tls.TLSSocket, remote: string): PeerCertificate {
    const certificate = certificateOf(socket)
    if (certificate === undefined) {
      throw new StoreError('Unauthenticated', `${remote} has no certificate of a process of O3`)
    }
    if (this.#options.isRevoked?.(certificate) === true) {
      throw new StoreError('Unauthenticated', `the certificate of ${certificate.name} at ${remote} was revoked`)
    }
    return certificate
  }
}

/** The listening side: handshakes within bounds, then the decision. */
class Gate {
  readonly #options: SecureOptions
  readonly #onConnection: (connection: Connection) => void
  readonly #server: tls.Server
  #underWay = 0
  #strangers = 0
  /** Whose handshake has an end: a socket may fail more than once. */
  readonly #ended = new WeakSet<tls.TLSSocket>()
  #credentials: Credentials

  constructor(options: SecureOptions, onConnection: (connection: Connection) => void) {
    this.#options = options
    this.#onConnection = onConnection
    this.#credentials = options.credentials()
    this.#server = tls.createServer({
      ...contextOf(this.#credentials),
      ALPNProtocols: protocols,
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: true,
      // OpenSSL verifies; we refuse, with words (`#judge`).
      rejectUnauthorized: false,
    })
    this.#server.on('secureConnection', (socket) => this.#secure(socket))
    this.#server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
  }

  receive(raw: net.Socket, remote: string): void {
    if (this.#underWay >= maxHandshakes) {
      raw.destroy()
      this.#options.onRefused?.(remote, new StoreError('Busy', `${maxHandshakes} handshakes are under way`))
      return
    }
    const credentials = this.#options.credentials()
    if (credentials !== this.#credentials) {
      this.#server.setSecureContext(contextOf(credentials))
      this.#credentials = credentials
    }
    this.#underWay++
    this.#server.emit('connection', raw)
  }

  /** False when it had one before. */
  #end(socket: tls.TLSSocket): boolean {
    if (this.#ended.has(socket)) return false
    this.#ended.add(socket)
    this.#underWay--
    return true
  }

  #failed(error: NodeJS.ErrnoException, socket: tls.TLSSocket): void {
    const isFirst = this.#end(socket)
    const remote = remoteOf(socket)
    socket.destroy()
    if (!isFirst) return
    this.#options.onRefused?.(remote, refusalOf(error, remote))
  }

  #secure(socket: tls.TLSSocket): void {
    if (!this.#end(socket)) return
    const remote = remoteOf(socket)
    const certificate = certificateOf(socket)
    const refusal = this.#judge(socket, certificate)
    if (refusal !== undefined) {
      this.#options.onRefused?.(remote, new StoreError('Unauthenticated', `${remote}: ${refusal}`))
      refuse(socket, refusal)
      return
    }
    if (certificate === undefined) this.#watchStranger(socket)
    const connection = new NodeConnection(socket, remote, certificate)
    admit(socket)
    this.#onConnection(connection)
  }

  #watchStranger(socket: tls.TLSSocket): void {
    this.#strangers++
    const timer = setTimeout(() => socket.destroy(), strangerMs)
    socket.once('close', () => {
      clearTimeout(timer)
      this.#strangers--
    })
  }

  /** Why not. */
  #judge(socket: tls.TLSSocket, certificate: PeerCertificate | undefined): string | undefined {
    const { strangers, isRevoked } = this.#options
    if (socket.isSessionReused()) return 'sessions are not resumed'
    if (socket.getPeerX509Certificate() === undefined) {
      if (strangers !== 'admitted') return 'a certificate is required, and none was shown'
      return this.#strangers < maxStrangers ? undefined : `${maxStrangers} strangers are here already; try again`
    }
    if (!socket.authorized) return distrustOf(socket)
    if (certificate === undefined) return 'the certificate is not one of a process of O3'
    return isRevoked?.(certificate) === true ? `the certificate of ${certificate.name} was revoked` : undefined
  }
}

function contextOf({ roots, own }: Credentials): tls.SecureContextOptions {
  return { ca: roots, ...versions, ...(own === undefined ? {} : { cert: own.chain, key: own.privateKey }) }
}

function remoteOf(socket: tls.TLSSocket): string {
  const { remoteAddress, remotePort } = socket
  return remoteAddress === undefined ? 'a client that has gone' : `${remoteAddress}:${remotePort}`
}

/** The first error of a socket that is not a connection yet. */
function failureOf(socket: tls.TLSSocket, remote: string): { readonly promise: Promise<never>; ignore(): void } {
  const { promise, reject } = Promise.withResolvers<never>()
  const onError = (error: Error): void => {
    reject(error instanceof StoreError ? error : refusalOf(error, remote))
  }
  const onClose = (): void =>
    reject(new StoreError('Unavailable', `${remote} closed the connection during the handshake`))
  socket.on('error', onError)
  socket.once('close', onClose)
  // Whoever was faster has the word.
  promise.catch(() => undefined)
  return {
    promise,
    ignore: () => {
      socket.off('error', onError)
      socket.off('close', onClose)
    },
  }
}
