import type { Address, Connection, Listener, Network, SecureOptions } from '../env.ts'
import { NodeConnection } from './node-connection.ts'
import { SecureNetwork } from './secure-network.ts'
import { bind, defaultConnectTimeoutMs, describe, dial } from './sockets.ts'

/** TCP and Unix-domain sockets. */
export class NodeNetwork implements Network {
  async connect(address: Address, options: { readonly timeoutMs?: number } = {}): Promise<Connection> {
    const socket = await dial(address, options.timeoutMs ?? defaultConnectTimeoutMs)
    return new NodeConnection(socket, describe(address))
  }

  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener> {
    return bind(address, (socket, remote) => onConnection(new NodeConnection(socket, remote)))
  }

  secured(options: SecureOptions): Network {
    return new SecureNetwork(options)
  }
}
