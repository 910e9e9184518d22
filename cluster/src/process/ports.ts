/** Ports to listen on: whether one can be had, before anything is opened. */

import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'

export interface Listening {
  readonly host: string
  readonly port: number | undefined
}

/** A port that somebody asked for and cannot have ends a start before anything is opened: nothing was changed then. */
export async function tryPort(env: Env, { host, port }: Listening): Promise<void> {
  if (port === undefined) return
  const probe = await env.network.listen({ kind: 'tcp', host, port }, (connection) => void connection.close())
  await probe.close()
}

/** A port that nobody asked for may be taken by another process of the same machine: then any free one will do. */
export async function withPort(
  env: Env,
  { host, port }: Listening,
  preferred: number,
): Promise<Record<string, unknown>> {
  if (port !== undefined) return { host, port }
  try {
    await tryPort(env, { host, port: preferred })
    return { host, port: preferred }
  } catch (error) {
    if (!isStoreError(error, 'Busy')) throw error
    return { host, port: 0 }
  }
}
