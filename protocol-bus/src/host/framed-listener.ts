/** One framed mount: connections of the Network port, each served by the plugin. */

import type { Clock, Connection, Listener, Network } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { Mount } from '../api/api.ts'

export type FramedMount = Extract<Mount, { kind: 'framed' }>

export interface FramedListenerOptions {
  readonly mount: FramedMount
  readonly network: Network
  readonly clock: Clock
  readonly log: Logger
  /** Connections beyond it are closed as they come. */
  readonly maxConnections: number
}

export class FramedListener {
  readonly mount: FramedMount
  private readonly options: FramedListenerOptions
  private readonly open = new Map<Connection, Promise<void>>()
  private listener: Listener | undefined
  private stopping = false

  private constructor(options: FramedListenerOptions) {
    this.options = options
    this.mount = options.mount
  }

  static async open(options: FramedListenerOptions): Promise<FramedListener> {
    const { mount, network } = options
    const listener = new FramedListener(options)
    const address = { kind: 'tcp', host: mount.host, port: mount.port } as const
    listener.listener = await network.listen(address, (connection) => listener.accept(connection))
    return listener
  }

  /** The real port where 0 was asked. */
  get address(): { readonly host: string; readonly port: number } {
    const address = this.listener?.address
    return address?.kind === 'tcp' ? { host: address.host, port: address.port } : { host: this.mount.host, port: 0 }
  }

  /**
   * Takes no more connections. Those that are served end by themselves within `deadlineMs` or are closed. The protocol
   * above knows what is under way, not this listener: `drain` tells it.
   */
  async stop(deadlineMs: number): Promise<void> {
    if (this.stopping) return
    this.stopping = true
    await this.listener?.close()
    const { clock, mount } = this.options
    mount.drain?.()
    const served = Promise.all(this.open.values())
    const cancel = clock.after(deadlineMs, () => {
      for (const connection of this.open.keys()) void this.close(connection)
    })
    await served
    cancel()
  }

  private accept(connection: Connection): void {
    if (this.stopping || this.open.size >= this.options.maxConnections) {
      void this.close(connection)
      return
    }
    this.open.set(connection, this.serve(connection))
  }

  /** Never rejects. */
  private async serve(connection: Connection): Promise<void> {
    try {
      await this.mount.serve(connection)
    } catch (error) {
      const { log } = this.options
      const expected = error instanceof StoreError
      log[expected ? 'debug' : 'error']({ remote: connection.remote, error }, 'a framed connection ended in an error')
    }
    await this.close(connection)
    this.open.delete(connection)
  }

  private async close(connection: Connection): Promise<void> {
    try {
      await connection.close()
    } catch (error) {
      this.options.log.debug({ remote: connection.remote, error }, 'a connection was closed by its peer first')
    }
  }
}
