/**
 * How the other commands reach the one that runs a cluster: `supervisor.json` says where it listens, and the certificate of
 * the administrator opens. So a file that a killed one has left leads to nobody, or to somebody who does not believe us; a
 * process id could by now be another program's.
 */

import { join } from 'node:path'
import type { Env } from '@o3/common/env'
import { RpcClient, RpcServer } from '@o3/common/rpc'
import type { Logger } from '@o3/common/logger'
import { parseObject, readSmallFile, replaceFile } from '../data-directory.ts'
import { guarded } from '../pki/authorisation.ts'
import type { ClusterPeer, Wire } from '../pki/wire.ts'
import type { ChildState } from './child.ts'

export interface ChildReport {
  readonly id: string
  readonly pid?: number
  readonly state: ChildState
}

export interface Control {
  readonly children: () => readonly ChildReport[]
  readonly stop: () => void
}

export interface ControlServer {
  close(): Promise<void>
}

const host = '127.0.0.1'
const deadlineMs = 2_000
const nothing = new Uint8Array(0)

const fileOf = (directory: string): string => join(directory, 'supervisor.json')

interface ControlOptions {
  readonly env: Env
  readonly directory: string
  /** An administrator's. */
  readonly wire: Wire
}

export async function serveControl(
  { env, directory, wire }: ControlOptions,
  control: Control,
  log: Logger,
): Promise<ControlServer> {
  const server = new RpcServer<ClusterPeer>({
    ...wire.env,
    log,
    methods: guarded('admin', {
      'cluster.children.1': () => ({ payload: Buffer.from(JSON.stringify(control.children())) }),
      'cluster.stop.1': () => {
        control.stop()
        return {}
      },
    }),
    authentication: wire.serves(),
  })
  const address = await server.listen({ kind: 'tcp', host, port: 0 })
  const port = address.kind === 'tcp' ? address.port : 0
  await replaceFile(env, fileOf(directory), `${JSON.stringify({ pid: process.pid, host, port }, null, 2)}\n`)
  return {
    close: async () => {
      await server.close(1_000)
      await env.disk.remove(fileOf(directory))
    },
  }
}

/** Undefined when no cluster has run there, or it was stopped. Whether somebody answers is seen by asking. */
export async function openControl({ env, directory, wire }: ControlOptions): Promise<ControlClient | undefined> {
  const text = await readSmallFile(env, fileOf(directory))
  const port = text === undefined ? undefined : parseObject(text)?.['port']
  if (typeof port !== 'number') return undefined
  const authentication = wire.callsTo('admin')
  return new ControlClient(new RpcClient({ ...wire.env, address: { kind: 'tcp', host, port }, authentication }))
}

/** Each call rejects as `RpcClient.call` does. */
export class ControlClient {
  private readonly client: RpcClient

  constructor(client: RpcClient) {
    this.client = client
  }

  async children(): Promise<readonly ChildReport[]> {
    const { payload } = await this.client.call('cluster.children.1', nothing, { deadlineMs })
    return JSON.parse(Buffer.from(payload).toString('utf8')) as readonly ChildReport[]
  }

  async stop(): Promise<void> {
    await this.client.call('cluster.stop.1', nothing, { deadlineMs })
  }

  close(): void {
    this.client.close()
  }
}
