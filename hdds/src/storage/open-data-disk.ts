import type { StoreError } from '@o3/common/errors'
import { BlockIndex } from './block-index.ts'
import { FilePool } from './container-file.ts'
import { DataDisk } from './data-disk.ts'
import type { DataDiskOptions, DirectoryLock } from './data-disk.ts'
import { DiskHealth } from './disk-health.ts'
import { assertOwner, readLabel, writeLabel } from './disk-label.ts'
import type { DiskScope } from './disk-scope.ts'
import { containersDirectory, indexDirectory } from './disk-scope.ts'
import { makeDurableDirectory } from './durable-directory.ts'
import { IndexStore } from './index-store.ts'
import { SpaceBudget } from './space-budget.ts'

/** Opens a disk, formatting it when it is empty, and brings its index up to date. `Incompatible`, `Busy`, `Damaged`. */
export async function openDataDisk(options: DataDiskOptions): Promise<DataDisk> {
  const { env, path, owner } = options
  const found = await readLabel(env.disk, path)
  if (found !== undefined) assertOwner(found, owner, path)
  else await makeDurableDirectory(env.disk, path)
  const lock = await env.disk.lock(`${path}/LOCK`)
  try {
    const identity = found ?? (await writeLabel(env, path, owner))
    await env.disk.makeDirectory(containersDirectory(path))
    await env.disk.makeDirectory(indexDirectory(path))
    await env.disk.syncDirectory(path)
    return await openRecovered(options, identity.diskUuid, lock)
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** An index that is found damaged while it is read is made anew, once. */
async function openRecovered(options: DataDiskOptions, uuid: string, lock: DirectoryLock): Promise<DataDisk> {
  for (let attempt = 1; ; attempt++) {
    const disk = new DataDisk(options, await openScope(options, uuid), lock)
    try {
      await disk.recover()
      return disk
    } catch (error) {
      const { index, pool } = disk.scope
      await pool.closeIdle()
      await index.close()
      if (attempt > 1 || !index.store.isDamaged) throw error
    }
  }
}

async function openScope(options: DataDiskOptions, uuid: string): Promise<Omit<DiskScope, 'report'>> {
  const { env, path, config } = options
  const log = options.log.child({ disk: path })
  const health = new DiskHealth(path, log)
  const space = new SpaceBudget({ path, reserveBytes: config.reserveBytes, look: () => env.disk.space(path) })
  await space.refresh()
  const onFailure = (error: unknown): StoreError => health.fail(error)
  const store = await IndexStore.open({ env, log, path: indexDirectory(path), openKv: options.openKv, onFailure })
  const index = new BlockIndex({ env, store, cachedExtents: config.cachedExtents })
  const pool = new FilePool(config.idleFiles, onFailure)
  return { env, log, path, uuid, index, health, space, pool, limits: config, metrics: options.metrics }
}
