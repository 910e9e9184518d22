/** Serves the native interface to authenticated connections. */

import type { Connection } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import { Secret } from '@o3/common/log'
import { RpcServer, keyServer } from '@o3/common/rpc'
import type { RpcCall, RpcHandler, RpcLimits, RpcReply } from '@o3/common/rpc'
import type { Foreseen, O3Session, PluginServices } from '@o3/protocol-bus/api'
import { calls } from '../core/calls.ts'
import type { Call, Method } from '../core/calls.ts'
import { decode, encode } from '../core/codec.ts'
import type { Codec } from '../core/codec.ts'
import { callMetrics } from './call-metrics.ts'
import { tellerOf } from './foreseen.ts'
import { handlers } from './handlers.ts'
import type { Answer } from './handlers.ts'

/** Who a connection has proved to be. What it may do is looked up with every call. */
interface Peer {
  readonly accessKeyId: string
  readonly secret: Secret
}

export interface NativeServerOptions extends Pick<
  PluginServices,
  'store' | 'identities' | 'clock' | 'random' | 'tasks' | 'log' | 'metrics'
> {
  readonly limits?: Partial<RpcLimits>
}

type AnyHandler = (...of: Parameters<(typeof handlers)[Method]>) => Promise<Answer<unknown>>

export class NativeServer {
  private readonly options: NativeServerOptions
  private readonly rpc: RpcServer<Peer>

  constructor(options: NativeServerOptions) {
    const { clock, random, log, metrics, tasks, limits } = options
    this.options = options
    const counted = callMetrics(metrics)
    const methods = Object.keys(calls) as Method[]
    this.rpc = new RpcServer<Peer>({
      clock,
      tasks,
      log,
      authentication: keyServer((keyId) => this.find(keyId), random),
      methods: Object.fromEntries(methods.map((method) => [method, this.handlerOf(method, counted)])),
      ...(limits === undefined ? {} : { limits }),
    })
  }

  serve(connection: Connection): Promise<void> {
    return this.rpc.serve(connection)
  }

  drain(): void {
    this.rpc.drain()
  }

  close(): Promise<void> {
    return this.rpc.close(0)
  }

  private async find(keyId: string): Promise<{ readonly secret: Secret; readonly peer: Peer } | undefined> {
    const found = await this.options.identities.lookup(keyId)
    if (found === undefined) return undefined
    const secret = new Secret(found.secret)
    return { secret, peer: { accessKeyId: found.accessKeyId, secret } }
  }

  private handlerOf(method: Method, counted: ReturnType<typeof callMetrics>): RpcHandler<Peer> {
    const { request, reply } = calls[method] as unknown as Call<never, unknown>
    const handler = handlers[method] as AnyHandler
    const foresee = tellerOf(method)
    const metrics = counted.of(method)
    const { clock } = this.options
    return async (call): Promise<RpcReply> => {
      const beganMs = clock.monotonicMs()
      try {
        const { session, asked } = await this.open(call, request, foresee)
        const answer = await handler(session, asked, call)
        metrics.answered.add()
        metrics.seconds.observe((clock.monotonicMs() - beganMs) / 1000)
        const payload = encode(reply, answer.reply)
        return answer.body === undefined ? { payload } : { payload, body: answer.body }
      } catch (error) {
        counted.error(isStoreError(error) ? error.code : 'Internal')
        throw error
      }
    }
  }

  /** What cannot be read is told only to those who may still ask. */
  private async open(
    call: RpcCall<Peer>,
    codec: Codec<never>,
    foresee: ((request: unknown) => Foreseen) | undefined,
  ): Promise<{ readonly session: O3Session; readonly asked: never }> {
    let asked: never
    try {
      asked = decode(codec, call.payload)
    } catch (error) {
      await this.admit(call, undefined)
      throw error
    }
    return { session: await this.admit(call, foresee?.(asked)), asked }
  }

  /** A key that was disabled, deleted or given another secret since it was proved is refused from the next call on. */
  private async admit({ peer }: RpcCall<Peer>, foreseen: Foreseen | undefined): Promise<O3Session> {
    const { identities, store } = this.options
    const lookup = identities.lookup(peer.accessKeyId, foreseen)
    const found = lookup instanceof Promise ? await lookup : lookup
    if (found === undefined || found.secret !== peer.secret.reveal()) {
      throw new StoreError('Unauthenticated', 'the access key is no longer valid')
    }
    return store.session(found.principal, foreseen)
  }
}
