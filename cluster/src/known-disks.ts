/**
 * Which disks this node has blocks on: `disks.json` in the data directory. A disk that was known and is empty now is not a
 * new one but one that is not mounted; to format it would turn "not there" into "never was".
 */

import { join, relative, resolve } from 'node:path'
import { StoreError } from '@o3/common/errors'
import type { Env } from '@o3/common/env'
import type { AbsentDisk } from '@o3/hdds/module'
import { readSmallFile, replaceFile } from './data-directory.ts'

/** As a node finds its disks when it starts. */
export interface FoundDisks {
  /** There, or new. */
  readonly present: readonly string[]
  /** Known, and without their identity: not mounted, emptied or dead. */
  readonly away: readonly AbsentDisk[]
  /** Present, and away at an earlier start. */
  readonly returned: readonly string[]
  /** Present, and never had anything of this node. */
  readonly fresh: readonly string[]
}

interface Known {
  readonly disks: readonly string[]
  readonly away: readonly string[]
}

const fileOf = (directory: string): string => join(directory, 'disks.json')

/**
 * For a node that has the only copy of its blocks: all of its disks, or `Incompatible` for a known one without its identity,
 * and for one that the configuration no longer names.
 */
export async function findAllDisks(env: Env, directory: string, configured: readonly string[]): Promise<FoundDisks> {
  await refuseUnnamed(env, directory, configured, 'name it again with --disk')
  const found = await findDisks(env, directory, configured)
  const [lost] = found.away
  if (lost === undefined) return found
  throw new StoreError(
    'Incompatible',
    `the disk ${lost.path} has blocks of this node and is not there: ${lost.why}. Mount it; if it is lost for good, remove it from ${fileOf(directory)}`,
  )
}

/**
 * For a datanode with copies elsewhere: it goes on with those of its disks that are there. `Incompatible` when none is, for
 * then it had better not begin anew unasked, and for one that is there and that the cluster file no longer names.
 */
export async function findSomeDisks(env: Env, directory: string, configured: readonly string[]): Promise<FoundDisks> {
  await refuseUnnamed(env, directory, configured, 'name it again in the cluster file, or empty it')
  const found = await findDisks(env, directory, configured)
  if (found.present.length > 0) return found
  throw new StoreError(
    'Incompatible',
    `none of the disks of this datanode is there (${found.away.map(({ path, why }) => `${path}: ${why}`).join('; ')}). Mount them; if they are lost for good, remove ${fileOf(directory)}: it then begins with empty ones, and is given copies of what others have`,
  )
}

async function findDisks(env: Env, directory: string, configured: readonly string[]): Promise<FoundDisks> {
  const known = await readKnown(env, directory)
  const present: string[] = []
  const away: AbsentDisk[] = []
  for (const path of configured) {
    const why = known.disks.includes(path) ? await whyAway(env, path) : undefined
    if (why === undefined) present.push(path)
    else away.push({ path, why })
  }
  const returned = present.filter((path) => known.away.includes(path))
  return { present, away, returned, fresh: present.filter((path) => !known.disks.includes(path)) }
}

/** One that is gone and no longer named was given up; one that is there was forgotten. */
async function refuseUnnamed(env: Env, directory: string, configured: readonly string[], what: string): Promise<void> {
  for (const path of (await readKnown(env, directory)).disks) {
    if (configured.includes(path) || (await whyAway(env, path)) !== undefined) continue
    throw new StoreError('Incompatible', `the disk ${path} has blocks of this node and is not among its disks: ${what}`)
  }
}

/** Undefined for one that is there. A disk that answers with an error is not. */
async function whyAway(env: Env, path: string): Promise<string | undefined> {
  try {
    if ((await env.disk.stat(`${path}/VERSION`)) !== undefined) return undefined
    return 'it has no VERSION file: it is not mounted, or was emptied'
  } catch (error) {
    if (error instanceof StoreError) return `it does not answer (${error.message})`
    throw error
  }
}

/** Paths. */
export interface DisksToRemember {
  /** Those that take part. */
  readonly present: readonly string[]
  /** Those that do not, and have something of this node. */
  readonly away: readonly string[]
}

/** After the disks were opened. Durable when it resolves. */
export async function rememberDisks(env: Env, directory: string, { present, away }: DisksToRemember): Promise<void> {
  const short = (paths: readonly string[]): readonly string[] => paths.map((path) => shortened(directory, path))
  const record = { disks: short([...present, ...away]), ...(away.length === 0 ? {} : { away: short(away) }) }
  const text = `${JSON.stringify(record, null, 2)}\n`
  if ((await readSmallFile(env, fileOf(directory))) !== text) await replaceFile(env, fileOf(directory), text)
}

async function readKnown(env: Env, directory: string): Promise<Known> {
  const text = await readSmallFile(env, fileOf(directory))
  if (text === undefined) return { disks: [], away: [] }
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
  const { disks, away = [] } = (parsed ?? {}) as { readonly disks?: unknown; readonly away?: unknown }
  if (!isPaths(disks) || !isPaths(away)) throw damaged
  const full = (paths: readonly string[]): readonly string[] => paths.map((path) => resolve(directory, path))
  return { disks: full(disks), away: full(away) }
}

function isPaths(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((path) => typeof path === 'string')
}

/** A disk within the data directory moves with it. */
function shortened(directory: string, path: string): string {
  const inside = relative(directory, path)
  return inside.startsWith('..') ? path : inside
}
