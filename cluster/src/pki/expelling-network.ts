import type { Address, Connection, Listener, Network, PeerCertificate, SecureOptions } from '@o3/common/env'

/** A network that knows its open connections, so that those with a certificate that counts no more can be ended. */
export class ExpellingNetwork implements Network {
  readonly #inner: Network
  readonly #open = new Set<Connection>()

  constructor(inner: Network) {
    this.#inner = inner
  }

  async connect(address: Address, options?: { readonly timeoutMs?: number }): Promise<Connection> {
    return this.#known(await this.#inner.connect(address, options))
  }

  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener> {
    return this.#inner.listen(address, (connection) => onConnection(this.#known(connection)))
  }

  secured(options: SecureOptions): Network {
    return this.#inner.secured(options)
  }

  /** Ends those of which it is so; whoever uses them sees that the other end has gone. */
  async expel(isUnwelcome: (certificate: PeerCertificate) => boolean): Promise<void> {
    const ending = [...this.#open].filter(
      ({ peerCertificate }) => peerCertificate !== undefined && isUnwelcome(peerCertificate),
    )
    await Promise.all(ending.map((connection) => connection.close()))
  }

  #known(connection: Connection): Connection {
    const { remote, peerCertificate, received } = connection
    const known: Connection = {
      remote,
      peerCertificate,
      received,
      send: (pieces) => connection.send(pieces),
      // Whoever has a connection closes it, also one that broke.
      close: () => {
        this.#open.delete(known)
        return connection.close()
      },
    }
    this.#open.add(known)
    return known
  }
}
