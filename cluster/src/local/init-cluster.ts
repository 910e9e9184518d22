import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { clusterFileIn, readCluster } from '../cluster-file/read-cluster.ts'
import type { ClusterAtHome } from '../cluster-file/read-cluster.ts'
import { certify, claimHome, layOut } from './layout.ts'
import type { LayoutOptions } from './layout.ts'

/** Lays out a cluster in a directory that is empty or missing; `InvalidArgument` where there is one already. */
export async function initCluster(env: Env, directory: string, options: LayoutOptions): Promise<ClusterAtHome> {
  const home = await claimHome(env, directory)
  try {
    if (home.laidOut) throw new StoreError('InvalidArgument', `there is a cluster in ${directory} already`)
    await layOut(env, directory, options)
    await certify(env, directory)
    return await readCluster(env, clusterFileIn(directory))
  } finally {
    await home.release()
  }
}
