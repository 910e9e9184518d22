/** The cluster file and the secrets it names, from the disk. */

import { stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { Secret } from '@o3/common/log'
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
    secret: resolve(home, cluster.secret),
    sealingKey: resolve(home, cluster.sealingKey),
  }
}

/** What the processes of a cluster prove to each other. `Damaged` when it is missing, or others can read it. */
export async function readClusterSecret(env: Env, cluster: Cluster): Promise<Secret> {
  return new Secret(await readOwnKey(env, cluster.secret, 'without it no process of the cluster believes another'))
}

/** 32 bytes. `Damaged` as above. */
export async function readSealingKey(env: Env, cluster: Cluster): Promise<Uint8Array> {
  return Buffer.from(await readOwnKey(env, cluster.sealingKey, 'without it no secret can be read'), 'hex')
}

async function readOwnKey(env: Env, path: string, need: string): Promise<string> {
  const key = await readHexKey(env, path, need)
  const { mode } = await stat(path)
  if ((mode & 0o077) === 0) return key
  throw new StoreError('Damaged', `${path} can be read by others: \`chmod 600\` it, or make a new one`)
}
