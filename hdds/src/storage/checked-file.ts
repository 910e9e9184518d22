/** A small file that is replaced whole: a CRC32C of what follows, then the body. */

import type { Disk, Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { crc32c } from './checksum.ts'

const checksumBytes = 4

export interface CheckedFile {
  readonly directory: string
  readonly name: string
  /** Where a crash test may end the process: the new file has its name, and that is not durable yet. */
  readonly site?: string
}

/** Durable when it resolves: a crash shows the file of before, or this one. */
export async function replaceChecked(
  { disk, at }: Pick<Env, 'disk' | 'at'>,
  { directory, name, site }: CheckedFile,
  body: Uint8Array,
): Promise<void> {
  const draft = `${directory}/${name}.new`
  if ((await disk.stat(draft)) !== undefined) await disk.remove(draft)
  const file = await disk.open(draft, 'create')
  try {
    const head = new Uint8Array(checksumBytes)
    new DataView(head.buffer).setUint32(0, crc32c(body), true)
    await file.write([head, body], 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(draft, `${directory}/${name}`)
  if (site !== undefined) at(site)
  await disk.syncDirectory(directory)
}

/** The body; undefined when there is no such file. `Damaged` when it does not match its checksum. */
export async function readChecked(disk: Disk, { directory, name }: CheckedFile): Promise<Uint8Array | undefined> {
  const path = `${directory}/${name}`
  if ((await disk.stat(path)) === undefined) return undefined
  const file = await disk.open(path, 'read')
  try {
    const bytes = new Uint8Array(await file.size())
    const body = bytes.subarray(checksumBytes, await file.read(bytes, 0))
    if (bytes.length > checksumBytes && new DataView(bytes.buffer).getUint32(0, true) === crc32c(body)) return body
    throw new StoreError('Damaged', `${path} does not match its checksum`, { details: { path, offset: 0 } })
  } finally {
    await file.close()
  }
}
