/** The connections to one datanode, made when first needed. */

import type { Address, Clock, Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import { RpcClient } from '@o3/common/rpc'
import type { ClientAuthentication, RpcCallOptions, RpcLimits, RpcResult } from '@o3/common/rpc'
import type { DatanodeId } from '@o3/scm/api'
import type { BlockDeed } from '@o3/scm/tokens'
import { deeds } from '../rpc/deeds.ts'
import type { Deed } from '../rpc/deeds.ts'
import { exchanges, listings } from '../rpc/methods.ts'
import type { ExchangeName, ListingName, ReplyOf, RequestOf } from '../rpc/methods.ts'
import type { Addressed, Codec } from '../rpc/records.ts'
import { tokenIn } from '../rpc/token-check.ts'

export interface DatanodeChannelOptions {
  readonly env: Pick<Env, 'network' | 'clock' | 'tasks'>
  readonly id: DatanodeId
  readonly address: Address
  readonly authentication: ClientAuthentication
  readonly limits?: Partial<RpcLimits>
  /** Makes the token of a call that has none: a datanode can, for other datanodes. `Unavailable`. */
  readonly tokenFor?: (deed: BlockDeed) => Uint8Array
  /** Connections for bytes. Default 2. */
  readonly bulkConnections?: number
}

const requests = { ...exchanges, ...listings } as unknown as Readonly<
  Record<ExchangeName | ListingName, { readonly request: Codec<Addressed<unknown>> }>
>

/** Small calls do not queue behind bytes. */
export type Lane = 'control' | 'bulk'

interface Clients {
  readonly control: RpcClient
  readonly bulk: readonly RpcClient[]
}

/**
 * Counts who uses it, so that the connections of a datanode that is not asked for any more close when the last call has
 * ended, and not under it.
 */
export class DatanodeChannel {
  readonly clock: Clock
  readonly id: DatanodeId
  private readonly options: DatanodeChannelOptions
  private clients: Clients | undefined
  private users = 0
  private turn = 0
  private state: 'kept' | 'retired' | 'closed' = 'kept'

  constructor(options: DatanodeChannelOptions) {
    this.options = options
    this.clock = options.env.clock
    this.id = options.id
  }

  get isClosed(): boolean {
    return this.state === 'closed'
  }

  /** From now on the connections close whenever nobody uses them. */
  retire(): void {
    if (this.state === 'kept') this.state = 'retired'
    this.closeIfUnused()
  }

  /** Calls under way end with `Unavailable` or `OutcomeUnknown`, later ones with `Closed`. Idempotent. */
  close(): void {
    this.state = 'closed'
    this.disconnect()
  }

  /** To be paired with `leave`, however the use ends. `Closed`. */
  enter(): void {
    if (this.isClosed) throw new StoreError('Closed', 'the client of the datanode is closed')
    this.users++
  }

  leave(): void {
    this.users--
    this.closeIfUnused()
  }

  async use<T>(action: () => Promise<T>): Promise<T> {
    this.enter()
    try {
      return await action()
    } finally {
      this.leave()
    }
  }

  /** Between `enter` and `leave`. Rejects as `RpcClient.call` does. */
  call(lane: Lane, name: string, payload: Uint8Array, options: RpcCallOptions): Promise<RpcResult> {
    this.clients ??= this.connect()
    const { control, bulk } = this.clients
    const client = lane === 'control' ? control : bulk[this.turn++ % bulk.length]
    return (client ?? control).call(name, payload, options)
  }

  /** `Unavailable` when a token cannot be made for it yet. */
  encode<Name extends ExchangeName | ListingName>(name: Name, request: RequestOf<Name>): Uint8Array {
    const { request: codec } = requests[name]
    return codec.encode(this.withToken(name, { datanode: this.id, request }))
  }

  private withToken(name: ExchangeName | ListingName, addressed: Addressed<unknown>): Addressed<unknown> {
    const { tokenFor } = this.options
    if (tokenFor === undefined || tokenIn(addressed.request) !== undefined) return addressed
    const deed = (deeds[name] as (request: unknown) => Deed)(addressed.request)
    const first = typeof deed === 'string' ? undefined : deed[0]
    if (first === undefined) return addressed
    const token = tokenFor(first)
    const { request } = addressed
    // In both places: a request that speaks of access is written with what it says itself, any other with what is beside it.
    const isRecord = typeof request === 'object' && request !== null && !Array.isArray(request)
    return { ...addressed, token, request: isRecord ? { ...request, token } : request }
  }

  /** `Incompatible` for an answer that cannot be read. */
  decode<Name extends ExchangeName>(name: Name, payload: Uint8Array): ReplyOf<Name> {
    try {
      return (exchanges[name].reply as Codec<unknown>).decode(payload) as ReplyOf<Name>
    } catch (cause) {
      throw unreadable(name, cause)
    }
  }

  /**
   * What a call without an effect that outlives it failed with: it can be asked again, there or elsewhere, whether or
   * not it was carried out. A datanode that stops is one that is gone.
   */
  withoutEffect(error: unknown): unknown {
    if (!isStoreError(error, 'OutcomeUnknown', 'DeadlineExceeded') && !this.isOfPeer(error)) return error
    return new StoreError('Unavailable', error.message, { details: error.details, cause: error })
  }

  /** What a write failed with: the datanode that stops may have written it before. */
  withEffect(error: unknown): unknown {
    if (!this.isOfPeer(error)) return error
    return new StoreError('OutcomeUnknown', error.message, { details: error.details, cause: error })
  }

  /** The datanode is closed, and not this client. */
  private isOfPeer(error: unknown): error is StoreError {
    return isStoreError(error, 'Closed') && !this.isClosed
  }

  private connect(): Clients {
    const { env, address, authentication, limits = {}, bulkConnections = 2 } = this.options
    const { network, clock, tasks } = env
    const client = (): RpcClient => new RpcClient({ network, clock, tasks, address, authentication, limits })
    return { control: client(), bulk: Array.from({ length: bulkConnections }, client) }
  }

  private closeIfUnused(): void {
    if (this.state === 'retired' && this.users === 0) this.disconnect()
  }

  private disconnect(): void {
    const { clients } = this
    this.clients = undefined
    if (clients === undefined) return
    for (const client of [clients.control, ...clients.bulk]) client.close()
  }
}

export function unreadable(name: string, cause: unknown): StoreError {
  return new StoreError('Incompatible', `the answer of ${name} cannot be read`, { cause })
}
