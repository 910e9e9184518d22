/**
 * Which disks this node has blocks on: `disks.json` in the data directory. A disk that was known and is empty now is not a
 * new one but one that is not mounted; to format it would turn "not there" into "never was".
 */

import { join, relative, resolve } from 'node:path'
import { StoreError } from '@o3/common/errors'
import type { Env } from '@o3/common/env'
import type { DiskReport } from '@o3/scm/api'
import { readSmallFile, replaceFile } from './data-directory.ts'

const fileOf = (directory: string): string => join(directory, 'disks.json')

/** `Incompatible` for a known disk without its identity, and for one that the configuration no longer names. */
export async function refuseLostDisks(env: Env, directory: string, configured: readonly string[]): Promise<void> {
  for (const path of await knownDisks(env, directory)) {
    if (!configured.includes(path)) {
      throw new StoreError(
        'Incompatible',
        `the disk ${path} has blocks of this node and is not among its disks: name it again with --disk`,
      )
    }
    if ((await env.disk.stat(`${path}/VERSION`)) === undefined) {
      throw new StoreError(
        'Incompatible',
        `the disk ${path} has blocks of this node and has no VERSION file: it is not mounted, or was emptied. Mount it; if it is lost for good, remove it from ${fileOf(directory)}`,
      )
    }
  }
}

/** After the disks were opened. Durable when it resolves. */
export async function rememberDisks(env: Env, directory: string, disks: readonly DiskReport[]): Promise<void> {
  const paths = disks.map(({ path }) => path)
  const known = await knownDisks(env, directory)
  if (paths.every((path) => known.includes(path))) return
  const disksOf = paths.map((path) => shortened(directory, path))
  await replaceFile(env, fileOf(directory), `${JSON.stringify({ disks: disksOf }, null, 2)}\n`)
}

async function knownDisks(env: Env, directory: string): Promise<readonly string[]> {
  const text = await readSmallFile(env, fileOf(directory))
  if (text === undefined) return []
  const damaged = new StoreError(
    'Damaged',
    `${fileOf(directory)} is not what O3 writes; correct the list of disks in it`,
  )
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) throw damaged
    throw error
  }
  const disks = (parsed as { readonly disks?: unknown } | null)?.disks
  if (!Array.isArray(disks) || !disks.every((path) => typeof path === 'string')) throw damaged
  return disks.map((path) => resolve(directory, path))
}

/** A disk within the data directory moves with it. */
function shortened(directory: string, path: string): string {
  const inside = relative(directory, path)
  return inside.startsWith('..') ? path : inside
}
