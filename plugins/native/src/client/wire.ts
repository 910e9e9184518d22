/** The client's two connections and how a call goes over them. */

import type { Address, Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { RpcClient } from '@o3/common/rpc'
import type { ClientAuthentication, RpcBody, RpcLimits, RpcResult } from '@o3/common/rpc'
import { calls } from '../core/calls.ts'
import type { Call, Method, ReplyOf, RequestOf } from '../core/calls.ts'
import { decode, encode } from '../core/codec.ts'

export interface WireOptions {
  readonly env: Pick<Env, 'network' | 'clock' | 'tasks'>
  readonly address: Address
  readonly authentication: ClientAuthentication
  /** For calls without bytes. Default 60 s. */
  readonly deadlineMs?: number | undefined
  readonly limits?: Partial<RpcLimits> | undefined
}

export interface CallOptions {
  readonly body?: RpcBody
  readonly signal?: AbortSignal | undefined
}

export interface Answer<Reply> {
  readonly reply: Reply
  readonly body: AsyncIterable<Uint8Array> | undefined
}

const defaultDeadlineMs = 60_000

export class Wire {
  readonly clock: Env['clock']
  /** Small calls do not queue behind bytes. */
  private readonly control: RpcClient
  private readonly data: RpcClient
  private readonly deadlineMs: number

  constructor({ env, address, authentication, limits, deadlineMs = defaultDeadlineMs }: WireOptions) {
    const { network, clock, tasks } = env
    const options = { network, clock, tasks, address, authentication, ...(limits === undefined ? {} : { limits }) }
    this.clock = clock
    this.control = new RpcClient(options)
    this.data = new RpcClient(options)
    this.deadlineMs = deadlineMs
  }

  /** One call without bytes. */
  async ask<M extends Method>(method: M, request: RequestOf<M>): Promise<ReplyOf<M>> {
    const { payload } = await this.control.call(method, this.encoded(method, request), { deadlineMs: this.deadlineMs })
    return this.decoded(method, payload)
  }

  /** One call with bytes: as long as they move, it may take. `Aborted` when the signal says so. */
  async carry<M extends Method>(
    method: M,
    request: RequestOf<M>,
    { body, signal }: CallOptions,
  ): Promise<Answer<ReplyOf<M>>> {
    const options = { ...(body === undefined ? {} : { body }), ...(signal === undefined ? {} : { signal }) }
    let result: RpcResult
    try {
      result = await this.data.call(method, this.encoded(method, request), options)
    } catch (error) {
      throw signal?.aborted === true ? abortedBy(signal) : error
    }
    return { reply: this.decoded(method, result.payload), body: result.body }
  }

  close(): void {
    this.control.close()
    this.data.close()
  }

  private encoded<M extends Method>(method: M, request: RequestOf<M>): Uint8Array {
    return encode((calls[method] as unknown as Call<RequestOf<M>, unknown>).request, request)
  }

  /** `Incompatible` for an answer that cannot be read: the server is another release, or no O3. */
  private decoded<M extends Method>(method: M, payload: Uint8Array): ReplyOf<M> {
    try {
      return decode((calls[method] as unknown as Call<unknown, ReplyOf<M>>).reply, payload)
    } catch (cause) {
      throw new StoreError('Incompatible', `the answer of ${method} cannot be read`, { cause })
    }
  }
}

export function abortedBy(signal: AbortSignal): StoreError {
  const { reason } = signal as { readonly reason: unknown }
  return reason instanceof StoreError ? reason : new StoreError('Aborted', 'the caller gave up', { cause: reason })
}
