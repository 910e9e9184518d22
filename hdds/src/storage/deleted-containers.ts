/**
 * The containers that were deleted from a disk. A first write makes its container; a late writer, whose lease is
 * older than the deletion, must not bring one back: SCM has forgotten it, or will delete it again, with what it holds.
 *
 * A copy of another replica may come back, on the order of SCM, and then leaves the list.
 *
 * Durable before the container's file goes. The file `DELETED` is replaced whole: a CRC32C of what follows, then the ranges.
 */

import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { ContainerId } from '@o3/scm/api'
import { decodeIdRanges, encodeIdRanges, IdRanges } from '../core/id-ranges.ts'
import { crc32c } from './checksum.ts'
import { OneAtATime } from './one-at-a-time.ts'

export interface DeletedContainersOptions {
  readonly env: Pick<Env, 'disk' | 'at'>
  /** Of the disk. */
  readonly path: string
  readonly log: Logger
  /** Of the containers that the disk has. */
  readonly known: readonly ContainerId[]
}

const fileName = 'DELETED'
const checksumBytes = 4

export class DeletedContainers {
  private readonly options: DeletedContainersOptions
  private readonly ids: IdRanges
  private readonly turns = new OneAtATime()

  private constructor(options: DeletedContainersOptions, ids: IdRanges) {
    this.options = options
    this.ids = ids
  }

  /**
   * When the file does not verify, nobody knows what was deleted: then everything counts as deleted that is not here and not
   * newer than what is. `Incompatible` for a file of a later release.
   */
  static async open(options: DeletedContainersOptions): Promise<DeletedContainers> {
    const { env, path, log, known } = options
    try {
      return new DeletedContainers(options, await readRanges(env.disk, `${path}/${fileName}`))
    } catch (error) {
      if (!isStoreError(error, 'Damaged')) throw error
      const highest = known.reduce((max, id) => Math.max(max, id), 0)
      log.error({ path, error, highest }, 'the list of deleted containers is damaged: all older ones count as deleted')
      return new DeletedContainers(options, new IdRanges(highest === 0 ? [] : [{ first: 1, last: highest }]))
    }
  }

  has(id: ContainerId): boolean {
    return this.ids.has(id)
  }

  /** Durable when it resolves. In force at once: nobody makes the container anew while its deletion is under way. */
  add(id: ContainerId): Promise<void> {
    this.ids.add(id)
    return this.turns.run(() => this.write())
  }

  /** They are here again, made of other replicas. Durable when it resolves. `OutOfSpace`. */
  async readmit(ids: readonly ContainerId[]): Promise<void> {
    const listed = ids.filter((id) => this.ids.has(id))
    if (listed.length === 0) return
    await this.turns.run(async () => {
      for (const id of listed) this.ids.remove(id)
      await this.write()
    })
  }

  private async write(): Promise<void> {
    const { env, path } = this.options
    const { disk } = env
    const draft = `${path}/${fileName}.new`
    if ((await disk.stat(draft)) !== undefined) await disk.remove(draft)
    const file = await disk.open(draft, 'create')
    try {
      const body = encodeIdRanges(this.ids)
      const head = new Uint8Array(checksumBytes)
      new DataView(head.buffer).setUint32(0, crc32c(body), true)
      await file.write([head, body], 0)
      env.at('hdds.deleted.before-sync')
      await file.sync()
    } finally {
      await file.close()
    }
    await disk.rename(draft, `${path}/${fileName}`)
    env.at('hdds.deleted.before-directory-sync')
    await disk.syncDirectory(path)
  }
}

async function readRanges(disk: Env['disk'], path: string): Promise<IdRanges> {
  if ((await disk.stat(path)) === undefined) return new IdRanges()
  const file = await disk.open(path, 'read')
  try {
    const bytes = new Uint8Array(await file.size())
    const read = await file.read(bytes, 0)
    const body = bytes.subarray(checksumBytes, read)
    if (read <= checksumBytes || new DataView(bytes.buffer).getUint32(0, true) !== crc32c(body)) {
      throw new StoreError('Damaged', `${path} does not match its checksum`, { details: { path, offset: 0 } })
    }
    return decodeIdRanges(body)
  } finally {
    await file.close()
  }
}
