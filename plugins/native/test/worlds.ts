/** The plugin behind the real host with the reference store under it, on loopback or on a simulated network. */

import { randomBytes } from 'node:crypto'
import type { Address, Env } from '@o3/common/env'
import { nodeEnv } from '@o3/common/env/node'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import type { RpcLimits } from '@o3/common/rpc'
import type { Credential, Identities, O3Store, Principal } from '@o3/protocol-bus/api'
import { startHost } from '@o3/protocol-bus/host'
import { referenceStore } from '@o3/protocol-bus/testing'
import type { ReferenceStore } from '@o3/protocol-bus/testing'
import { connectNative } from '../src/client/client.ts'
import type { NativeConnection } from '../src/client/client.ts'
import { plugin } from '../src/plugin.ts'

export interface Served {
  readonly env: Env
  readonly address: Address
  connect(accessKey: string, secretKey: string, limits?: Partial<RpcLimits>): Promise<NativeConnection>
  stop(): Promise<void>
}

/** On loopback, with the ports and clocks of this machine. */
export async function serve(behind: { readonly store: O3Store; readonly identities: Identities }): Promise<Served> {
  const env = nodeEnv()
  const host = await startHost({
    env,
    services: { ...env, ...behind, log: nullLogger, metrics: createMetrics() },
    plugins: [{ plugin, config: { port: 0 } }],
  })
  const [mount] = host.mounts
  if (mount === undefined) throw new Error('nothing was mounted')
  const address = { kind: 'tcp', host: mount.host, port: mount.port } as const
  return {
    env,
    address,
    connect: (accessKey, secretKey, limits = {}) => connectNative({ env, address, accessKey, secretKey, limits }),
    stop: () => host.stop(2000),
  }
}

export const admin: Principal = { user: 'admin', admin: true }
export const adminKey = ['admin-key', 'admin-secret'] as const

let nowMs = 1_767_225_600_000
export const ticking = { wallMs: (): number => (nowMs += 1000) }
export const chance = { bytes: (length: number): Uint8Array => new Uint8Array(randomBytes(length)) }

/** Volume `s3v`, an administrator, nothing else. */
export function newStore(): ReferenceStore {
  return referenceStore({ clock: ticking, random: chance })
}

/** Every principal has the access key that is its name; for suites that ask for sessions of principals by themselves. */
export const everybody: Identities = {
  lookup(accessKeyId): Credential {
    const [user = '', role] = accessKeyId.split('/')
    return { accessKeyId, secret: `secret of ${accessKeyId}`, principal: { user, admin: role === 'admin' } }
  },
}

export function keyOf({ user, admin: isAdmin }: Principal): readonly [string, string] {
  const id = `${user}/${isAdmin ? 'admin' : 'user'}`
  return [id, `secret of ${id}`]
}
