import type { Disk, DiskFile } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import { formatContainerName } from '../core/container-name.ts'
import type { ContainerFileName } from '../core/container-name.ts'
import { decodeRewrittenBytes, encodeRewrittenBytes } from '../core/rewritten-bytes.ts'
import type { RewrittenBytes } from '../core/rewritten-bytes.ts'
import { readChecked, replaceChecked } from './checked-file.ts'
import type { CheckedFile } from './checked-file.ts'
import { containersDirectory } from './disk-scope.ts'
import type { DiskScope } from './disk-scope.ts'

type RewriteScope = Pick<DiskScope, 'env' | 'path' | 'log'>

const fileOf = (path: string): CheckedFile => ({
  directory: path,
  name: 'REWRITE',
  site: 'hdds.recover.rewrite-noted',
})

/** What a start was about to write again when it ended. `Damaged`. */
export async function notedRewrite(disk: Disk, path: string): Promise<RewrittenBytes | undefined> {
  const body = await readChecked(disk, fileOf(path))
  return body === undefined ? undefined : decodeRewrittenBytes(body)
}

/**
 * Writes bytes again where they are already, and perhaps durably: a power cut amid that may leave neither the old nor the new in
 * a sector, and what was acknowledged would be gone. So they are first written elsewhere, to the file `REWRITE` of the
 * disk, which the next start begins with. One at a time.
 */
export class RewriteNote {
  private readonly scope: RewriteScope
  private isThere = false

  constructor(scope: RewriteScope) {
    this.scope = scope
  }

  /** Brings what an earlier start has left half written to its end. */
  async resume(): Promise<void> {
    const noted = await this.left()
    if (noted === undefined) return
    this.isThere = true
    const { env, path } = this.scope
    const file = `${containersDirectory(path)}/${formatContainerName(noted.name)}`
    // Deleted or compacted since: nobody reads these bytes any more.
    if ((await env.disk.stat(file)) === undefined) return
    const opened = await env.disk.open(file, 'read-write')
    try {
      await opened.write([noted.bytes], noted.from)
      await opened.sync()
    } finally {
      await opened.close()
    }
  }

  /** Durable where they were when it resolves. */
  async write(file: DiskFile, name: ContainerFileName, { from, bytes }: Omit<RewrittenBytes, 'name'>): Promise<void> {
    const { env, path, log } = this.scope
    try {
      await replaceChecked(env, fileOf(path), encodeRewrittenBytes({ name, from, bytes }))
      this.isThere = true
    } catch (error) {
      // A disk without a byte to spare has to start as well.
      if (!isStoreError(error, 'OutOfSpace')) throw error
      log.warn({ container: name.container, error }, 'no room to note what is written again')
    }
    await file.write([bytes], from)
    env.at('hdds.recover.rewritten')
    await file.sync()
  }

  /** All is durable where it belongs. Later the same name may stand for another file. */
  async end(): Promise<void> {
    if (!this.isThere) return
    const { env, path } = this.scope
    await env.disk.remove(`${path}/${fileOf(path).name}`)
    await env.disk.syncDirectory(path)
    this.isThere = false
  }

  private async left(): Promise<RewrittenBytes | undefined> {
    try {
      return await notedRewrite(this.scope.env.disk, this.scope.path)
    } catch (error) {
      if (!isStoreError(error, 'Damaged') || error.details['errno'] !== undefined) throw error
      // It got its name when it was whole: this is rot. The container's own checksums tell what is missing.
      this.scope.log.error({ path: this.scope.path, error }, 'what was to be written again does not verify')
      this.isThere = true
      return undefined
    }
  }
}

/** The file as the next start makes it: where these bytes are written again it may be torn. For who only looks. */
export function asRewritten(file: DiskFile, name: ContainerFileName, noted: RewrittenBytes | undefined): DiskFile {
  if (noted?.name.container !== name.container || noted.name.generation !== name.generation) return file
  const { from, bytes } = noted
  const layOver = (target: Uint8Array, offset: number, count: number): number => {
    const begin = Math.max(from, offset)
    const end = Math.min(from + bytes.length, offset + count)
    if (begin < end) target.set(bytes.subarray(begin - from, end - from), begin - offset)
    return count
  }
  return {
    path: file.path,
    read: async (target, offset) => layOver(target, offset, await file.read(target, offset)),
    readNow: (target, offset) => layOver(target, offset, file.readNow(target, offset)),
    write: (pieces, offset) => file.write(pieces, offset),
    sync: () => file.sync(),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    size: () => file.size(),
    close: () => file.close(),
  }
}
