/**
 * A component that can only be opened by writing (a log that recovers, a LevelDB) is opened on a copy, in the system's
 * temporary directory. What its engine never writes again is linked and not copied, so that the copy of a large store
 * costs megabytes.
 */

import { constants } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StoreError } from '@o3/common/errors'

export class Scratch {
  private readonly root: string
  /** From the copy to what it is a copy of. */
  private readonly originals = new Map<string, string>()

  private constructor(root: string) {
    this.root = root
  }

  static async make(): Promise<Scratch> {
    return new Scratch(await mkdtemp(join(tmpdir(), 'o3-doctor-')))
  }

  /** The path of a copy of `directory`, with all below it. */
  async copyOf(directory: string): Promise<string> {
    const copy = join(this.root, String(this.originals.size))
    this.originals.set(copy, directory)
    await copyTree(directory, copy)
    return copy
  }

  /** What went wrong on a copy, told of the original. */
  asOriginal(error: StoreError): StoreError {
    const named = (text: string): string =>
      [...this.originals].reduce((out, [copy, original]) => out.replaceAll(`${copy}/`, `${original}/`), text)
    const details = Object.fromEntries(
      Object.entries(error.details).map(([name, value]) => [name, typeof value === 'string' ? named(value) : value]),
    )
    return new StoreError(error.code, named(error.message), { details, cause: error })
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true, force: true })
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 })
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await copyTree(source, target)
    // A table of LevelDB is written once; removing it from the copy removes the link.
    else if (entry.name.endsWith('.ldb')) await symlink(source, target)
    else if (entry.isFile()) await copyFile(source, target, constants.COPYFILE_FICLONE)
  }
}
