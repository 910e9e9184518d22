import type { Address, Connection, Clock, Listener, Network, Tasks } from '../env/env.ts'
import { StoreError, assert } from '../errors.ts'
import type { Logger } from '../log/logger.ts'
import type { ServerAuthentication } from './authentication.ts'
import { defaultRpcLimits } from './limits.ts'
import type { RpcLimits } from './limits.ts'
import { ServerConnection } from './server-connection.ts'
import type { RpcHandler } from './server-call.ts'

/** By name. A name ends with its version (`keys.put.1`): a changed payload is a new method beside the old one. */
export type RpcMethods<Peer> = Readonly<Record<string, RpcHandler<Peer>>>

export interface RpcServerOptions<Peer> {
  /** For `listen`. */
  readonly network?: Network
  readonly clock: Clock
  readonly tasks: Tasks
  readonly log: Logger
  readonly methods: RpcMethods<Peer>
  readonly authentication: ServerAuthentication<Peer>
  readonly limits?: Partial<RpcLimits>
}

/** Serves a table of methods to authenticated clients. */
export class RpcServer<Peer> {
  private readonly options: RpcServerOptions<Peer>
  private readonly limits: RpcLimits
  private readonly methods: ReadonlyMap<string, RpcHandler<Peer>>
  private readonly connections = new Set<ServerConnection<Peer>>()
  private listener: Listener | undefined
  private onEmpty: (() => void) | undefined
  private closing: Promise<void> | undefined

  constructor(options: RpcServerOptions<Peer>) {
    this.options = options
    this.limits = { ...defaultRpcLimits, ...options.limits }
    this.methods = new Map(Object.entries(options.methods))
  }

  /** Resolves with the bound address. */
  async listen(address: Address): Promise<Address> {
    const { network } = this.options
    assert(network !== undefined, 'a server that listens has a network')
    this.listener = await network.listen(address, (connection) => this.accept(connection))
    return this.listener.address
  }

  /** Serves a connection that somebody else's listener has accepted; resolves when it is closed. */
  serve(connection: Connection): Promise<void> {
    return new Promise((resolve) => {
      this.accept({
        remote: connection.remote,
        peerCertificate: connection.peerCertificate,
        received: connection.received,
        send: (pieces) => connection.send(pieces),
        close: () => connection.close().finally(resolve),
      })
    })
  }

  /** Takes no more calls: idle connections end now, the others after their last answer. */
  drain(): void {
    for (const connection of this.connections) connection.drain()
  }

  /**
   * Takes no more connections and calls, and resolves when the calls under way are answered; those that are not after
   * `graceMs` end with `Closed`. Idempotent.
   */
  close(graceMs = 5_000): Promise<void> {
    this.closing ??= this.shut(graceMs)
    return this.closing
  }

  private accept(connection: Connection): void {
    const { clock, tasks, log, authentication } = this.options
    if (this.closing !== undefined || this.connections.size >= this.limits.maxConnections) {
      log.warn({ remote: connection.remote }, 'connection refused: too many, or stopping')
      tasks.spawn('rpc.refuse', () => connection.close())
      return
    }
    const accepted: ServerConnection<Peer> = new ServerConnection<Peer>({
      connection,
      clock,
      tasks,
      limits: this.limits,
      handshake: authentication({ certificate: connection.peerCertificate, remote: connection.remote }),
      methods: this.methods,
      onBug: (method, error) => log.error({ method, error, remote: connection.remote }, 'a handler failed'),
      onClosed: (failure) => {
        log.debug({ remote: connection.remote, error: failure }, 'connection closed')
        this.connections.delete(accepted)
        if (this.connections.size === 0) this.onEmpty?.()
      },
    })
    this.connections.add(accepted)
  }

  private async shut(graceMs: number): Promise<void> {
    await this.listener?.close()
    const empty = new Promise<void>((resolve) => {
      this.onEmpty = resolve
    })
    this.drain()
    if (this.connections.size === 0) return
    const cancel = this.options.clock.after(graceMs, () => {
      const error = new StoreError('Closed', 'the server has stopped')
      for (const connection of this.connections) connection.close(error)
    })
    await empty
    cancel()
  }
}
