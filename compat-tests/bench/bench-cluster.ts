/** Clusters of own processes that are measured. */

import { join } from 'node:path'
import { startServer } from '../harness/server.ts'
import type { Server } from '../harness/server.ts'
import { makeBucket } from './load-run.ts'
import type { LoadTarget } from './load-run.ts'

export const KiB = 1024
export const MiB = KiB * KiB
const bucket = 'bench'

export interface ClusterShape {
  /** Where its directory is made. */
  readonly directory: string
  readonly datanodes: number
  readonly args?: readonly string[]
}

export function clusterOf({ directory, datanodes, args = [] }: ClusterShape): Promise<Server> {
  const racks = String(Math.min(3, datanodes))
  const shape = ['--datanodes', String(datanodes), '--racks', racks, '--s3-port', '0']
  return startServer({
    directory: join(directory, `cluster-${datanodes}`),
    command: ['cluster', 'start', ...shape],
    args,
    readyMs: 120_000,
  })
}

export async function targetOf(server: Server): Promise<LoadTarget> {
  const args = ['--access-key', server.accessKey, '--secret-key', server.secretKey]
  const target = { endpoint: server.endpoint, bucket, args }
  await makeBucket(target, server)
  return target
}

export interface NodeRow {
  readonly id: string
  readonly health: string
  readonly operational: string
  readonly containers: number
  readonly disks: readonly { readonly usedBytes: number }[]
}

export interface ContainerReport {
  readonly counts: Readonly<Record<string, number>>
  readonly tasks: number
}

const healthy = new Set(['HEALTHY', 'OPEN', 'CLOSING', 'DELETING'])

/** Containers that lack something. */
export function illOf({ counts }: Pick<ContainerReport, 'counts'>): number {
  return Object.entries(counts).reduce((sum, [state, n]) => sum + (healthy.has(state) ? 0 : n), 0)
}
