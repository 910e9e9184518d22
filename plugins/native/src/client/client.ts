/** The client library of the native protocol: the native interface against a server somewhere else. */

import type { Address, Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { Secret } from '@o3/common/log'
import { keyClient } from '@o3/common/rpc'
import type { RpcLimits } from '@o3/common/rpc'
import type { O3Session } from '@o3/protocol-bus/api'
import { nativeSession } from './native-session.ts'
import { Wire } from './wire.ts'

export type * from '@o3/protocol-bus/api'
export { replicationConfigs } from '@o3/protocol-bus/api'

export interface NativeOptions {
  readonly env: Pick<Env, 'network' | 'clock' | 'tasks' | 'random'>
  readonly address: Address
  readonly accessKey: string
  /** Proved, never sent. */
  readonly secretKey: string
  /** Of a call without bytes; beyond it `DeadlineExceeded`. Default 60 s. */
  readonly deadlineMs?: number
  readonly limits?: Partial<RpcLimits>
}

export interface NativeConnection {
  /**
   * The native interface, with every promise of it. `finish` of puts and of completed uploads runs here, and the server
   * stores nothing unless it computed the same digests. Calls are never repeated: `Unavailable` did not happen,
   * `OutcomeUnknown` may have, and a `requestId` makes repeating a write safe.
   */
  readonly session: O3Session
  /** Calls under way end with `Unavailable` or `OutcomeUnknown`. */
  close(): void
}

/**
 * Connects and proves both sides' knowledge of the secret. `Unavailable` when nobody answers, `Unauthenticated` for a key
 * that is unknown, disabled or has another secret (which cannot be told apart), `Incompatible` for what is no O3.
 */
export async function connectNative(options: NativeOptions): Promise<NativeConnection> {
  const { env, address, accessKey, secretKey, deadlineMs, limits } = options
  const authentication = keyClient({ keyId: accessKey, secret: new Secret(secretKey) }, env.random)
  const wire = new Wire({ env, address, authentication, deadlineMs, limits })
  try {
    const principal = await wire.ask('session.principal.1', undefined)
    return { session: nativeSession(wire, principal), close: () => wire.close() }
  } catch (error) {
    wire.close()
    throw error
  }
}

/** `o3://host:port`, or `host:port`; an IPv6 address stands in brackets. */
export function parseAddress(text: string): Address {
  const match = /^(?:o3:\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):(\d{1,5})\/?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port > 65_535) {
    throw new StoreError('InvalidArgument', `${text} is no address: write o3://host:port`)
  }
  return { kind: 'tcp', host, port }
}
