/** The directory of one process of a cluster: whose it is (`VERSION`), and the lock that keeps a second process out. */

import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { Role } from '../cluster-file/cluster-file.ts'
import { parseObject, readSmallFile, refuseStrangers, replaceFile } from '../data-directory.ts'
import type { Marks } from '../data-directory.ts'
import type { ClaimedDirectory } from '../process/running-process.ts'

export interface RoleOwner {
  readonly clusterId: string
  readonly role: Role
  readonly id: string
}

const formatVersion = 1

const marks: Marks = { mark: 'VERSION', beginnings: new Set(['lock', 'VERSION.new', 'o3.log']) }

/**
 * Opens the directory, or makes it the owner's when it is empty or missing. `Incompatible` when it is somebody else's:
 * a process that served the data of another would answer with the wrong rows. `Busy` while another process has it.
 */
export async function claimRoleDirectory(env: Env, path: string, owner: RoleOwner): Promise<ClaimedDirectory> {
  await refuseStrangers(env, path, marks)
  await env.disk.makeDirectory(path)
  const lock = await env.disk.lock(`${path}/lock`)
  try {
    await settleOwner(env, path, owner)
    return { path, release: () => lock.release() }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function settleOwner(env: Env, path: string, owner: RoleOwner): Promise<void> {
  const text = await readSmallFile(env, `${path}/VERSION`)
  if (text === undefined) {
    const { clusterId, role, id } = owner
    const version = { format: formatVersion, clusterId, role, id }
    return replaceFile(env, `${path}/VERSION`, `${JSON.stringify(version, null, 2)}\n`)
  }
  const found = parseObject(text) ?? {}
  if (typeof found['format'] !== 'number' || found['format'] > formatVersion) {
    throw new StoreError(
      'Incompatible',
      `${path}/VERSION is of a newer O3 or damaged; this release knows ${formatVersion}`,
    )
  }
  if (found['role'] === undefined) {
    throw new StoreError('Incompatible', `${path} is the data directory of a single node: \`o3 start\` serves it`)
  }
  for (const key of ['clusterId', 'role', 'id'] as const) {
    if (found[key] === owner[key]) continue
    throw new StoreError('Incompatible', `${path} has ${key} ${String(found[key])}, not ${owner[key]}`)
  }
}
