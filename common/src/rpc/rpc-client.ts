import type { Address, Clock, Network, Tasks } from '../env/env.ts'
import { StoreError, assert } from '../errors.ts'
import type { ClientAuthentication } from './authentication.ts'
import { ClientCall } from './client-call.ts'
import type { RpcCallOptions, RpcResult } from './client-call.ts'
import { ClientSession } from './client-session.ts'
import { defaultRpcLimits } from './limits.ts'
import type { RpcLimits } from './limits.ts'

export interface RpcClientOptions {
  readonly network: Network
  readonly clock: Clock
  readonly tasks: Tasks
  readonly address: Address
  readonly authentication: ClientAuthentication
  /** Who is said to be at the address; the authentication may hold the server to it. */
  readonly serverId?: string | undefined
  readonly limits?: Partial<RpcLimits>
  /** For so long after an attempt to connect that failed, calls fail with its error at once. Default 100. */
  readonly redialAfterMs?: number
}

const maxMethodChars = 200

/**
 * Calls to one server over one connection, which is made when first needed and again after it was lost. A call is never
 * sent twice: repeating is the caller's decision, who sees `Unavailable` (it did not happen) or `OutcomeUnknown`.
 * Whoever moves much data beside small calls takes a second client for it.
 */
export class RpcClient {
  private readonly options: RpcClientOptions
  private readonly limits: RpcLimits
  private session: ClientSession | undefined
  private dialing: Promise<ClientSession> | undefined
  private lastFailure: { readonly error: StoreError; readonly untilMs: number } | undefined
  /** Calls that wait for a connection to be made. */
  private waiting = 0
  private isClosed = false

  constructor(options: RpcClientOptions) {
    this.options = options
    this.limits = { ...defaultRpcLimits, ...options.limits }
  }

  /**
   * Resolves with the reply. Rejects with the server's `StoreError`, `Unavailable`, `OutcomeUnknown`,
   * `DeadlineExceeded`, `Busy` (too many calls wait), `TooLarge`, `Closed`, or the reason of the signal.
   */
  call(method: string, payload: Uint8Array, options: RpcCallOptions = {}): Promise<RpcResult> {
    assert(method.length <= maxMethodChars, 'the name of a method is short')
    const call = new ClientCall({ ...options, method, payload, clock: this.options.clock })
    if (this.isClosed) call.fail(closedError())
    else if (this.session !== undefined) this.session.start(call)
    else this.startWhenConnected(call)
    return call.result
  }

  /** Calls under way end with `Unavailable` or `OutcomeUnknown`, later ones with `Closed`. Idempotent. */
  close(): void {
    this.isClosed = true
    this.session?.close()
  }

  private startWhenConnected(call: ClientCall): void {
    if (this.waiting >= this.limits.maxQueuedCalls) {
      call.fail(new StoreError('Busy', 'too many calls wait for a connection'))
      return
    }
    this.waiting++
    this.connected()
      .finally(() => this.waiting--)
      .then(
        (session) => session.start(call),
        (error: unknown) => call.fail(error),
      )
  }

  private connected(): Promise<ClientSession> {
    const { clock } = this.options
    if (this.lastFailure !== undefined && clock.monotonicMs() < this.lastFailure.untilMs) {
      return Promise.reject(this.lastFailure.error)
    }
    this.dialing ??= this.dial().finally(() => {
      this.dialing = undefined
    })
    return this.dialing
  }

  private async dial(): Promise<ClientSession> {
    const { network, clock, tasks, address, authentication, serverId, redialAfterMs = 100 } = this.options
    try {
      const connection = await network.connect(address, { timeoutMs: this.limits.handshakeTimeoutMs })
      const session: ClientSession = new ClientSession({
        connection,
        clock,
        tasks,
        limits: this.limits,
        handshake: authentication({ certificate: connection.peerCertificate, serverId }),
        onRetired: (queued) => {
          if (this.session === session) this.session = undefined
          for (const call of queued) this.startWhenConnected(call)
        },
      })
      await session.established
      if (this.isClosed) {
        session.close()
        throw closedError()
      }
      // The server may have said goodbye in the same breath.
      if (!session.isOpen) throw new StoreError('Unavailable', 'the server is stopping')
      this.session = session
      return session
    } catch (error) {
      const failure = StoreError.from(error)
      this.lastFailure = { error: failure, untilMs: clock.monotonicMs() + redialAfterMs }
      throw failure
    }
  }
}

function closedError(): StoreError {
  return new StoreError('Closed', 'the client is closed')
}
