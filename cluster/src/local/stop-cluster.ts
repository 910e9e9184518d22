import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import { clusterFileIn, readCluster } from '../cluster-file/read-cluster.ts'
import { adminWire } from '../pki/administration.ts'
import { openControl } from './control.ts'
import { claimHome } from './layout.ts'

/**
 * Asks the command that runs the cluster to stop it, and waits until it is gone, at most `deadlineMs` (then
 * `DeadlineExceeded`). Resolves with `not-running` when there was none.
 */
export async function stopCluster(env: Env, directory: string, deadlineMs: number): Promise<'stopped' | 'not-running'> {
  const cluster = await readCluster(env, clusterFileIn(directory))
  if (!(await isRunning(env, directory))) return 'not-running'
  const control = await openControl({ env, directory, wire: await adminWire(env, cluster) })
  if (control === undefined) {
    throw new StoreError('Unavailable', `the cluster in ${directory} is just starting or stopping; ask again`)
  }
  try {
    await control.stop()
  } finally {
    control.close()
  }
  const untilMs = env.clock.monotonicMs() + deadlineMs
  while (await isRunning(env, directory)) {
    if (env.clock.monotonicMs() > untilMs) {
      throw new StoreError(
        'DeadlineExceeded',
        `the cluster in ${directory} has not stopped within ${deadlineMs / 1000} s`,
      )
    }
    await env.clock.sleep(50)
  }
  return 'stopped'
}

/** Whoever runs it has the lock. */
async function isRunning(env: Env, directory: string): Promise<boolean> {
  try {
    const home = await claimHome(env, directory)
    await home.release()
    return false
  } catch (error) {
    if (isStoreError(error, 'Busy')) return true
    throw error
  }
}
