/** The cluster file and the secrets it names, from the disk. */

import { stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { readHexKey, readSmallFile } from '../data-directory.ts'
import { clusterFileName, parseClusterFile } from './cluster-file.ts'
import type { Cluster } from './cluster-file.ts'

export interface ClusterAtHome extends Cluster {
  /** The directory of the cluster file; the administrator's credentials are in it, too. */
  readonly home: string
}

/** Of a cluster on one machine. */
export function clusterFileIn(directory: string): string {
  return join(directory, clusterFileName)
}

/** With the paths that it names made absolute. `InvalidArgument`, `Incompatible`. */
export async function readCluster(env: Env, path: string): Promise<ClusterAtHome> {
  const text = await readSmallFile(env, path)
  if (text === undefined) {
    throw new StoreError('InvalidArgument', `there is no cluster file ${path}; \`o3 cluster init\` writes one`)
  }
  const cluster = parseClusterFile(text, path)
  const home = dirname(resolve(path))
  return {
    ...cluster,
    home,
    datanodes: cluster.datanodes.map((member) => ({
      ...member,
      disks: member.disks.map((disk) => resolve(home, disk)),
    })),
    ca: resolve(home, cluster.ca),
    caKey: resolve(home, cluster.caKey),
    sealingKey: resolve(home, cluster.sealingKey),
  }
}

/** 32 bytes. `Damaged` when it is missing, or others can read it. */
export async function readSealingKey(env: Env, cluster: Cluster): Promise<Uint8Array> {
  const key = await readHexKey(env, cluster.sealingKey, 'without it no secret can be read')
  await refuseOpenFile(cluster.sealingKey)
  return Buffer.from(key, 'hex')
}

/** `Damaged` for a file with a secret that others than its owner can read. */
export async function refuseOpenFile(path: string): Promise<void> {
  const { mode } = await stat(path)
  if ((mode & 0o077) === 0) return
  throw new StoreError('Damaged', `${path} can be read by others: \`chmod 600\` it, or make a new one`)
}
