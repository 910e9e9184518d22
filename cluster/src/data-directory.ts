/**
 * The data directory of a node: who it is (`VERSION`), the key that seals its secrets (`keys/cluster.key`), the
 * administrator's credentials (`credentials`) and the lock that keeps a second process out. Files with secrets are made
 * readable to their owner only.
 */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { Env } from '@o3/common/env'

export interface NodeIdentity {
  readonly clusterId: string
  readonly datanodeId: string
  readonly createdMs: number
}

export interface DataDirectory {
  readonly path: string
  readonly identity: NodeIdentity
  /** 32 bytes. */
  readonly sealingKey: Uint8Array
  /** True when this start made the directory. */
  readonly fresh: boolean
  release(): Promise<void>
}

const formatVersion = 1
const maxSmallFileBytes = 64 * 1024

/** What may lie in a directory that has no `VERSION` yet: the remains of a first start that was killed. */
const beginnings = new Set(['lock', 'VERSION.new', 'keys', 'o3.log'])

/**
 * Opens the directory, or makes it when it is empty or missing. Nothing is changed in one that is not O3's:
 * `Incompatible`. `Busy` while another process has it.
 */
export async function openDataDirectory(env: Env, path: string): Promise<DataDirectory> {
  await refuseForeign(env, path)
  await env.disk.makeDirectory(path)
  const lock = await env.disk.lock(`${path}/lock`)
  try {
    const found = await readIdentity(env, path)
    const identity = found ?? (await makeDirectoryOurs(env, path))
    const sealingKey = await readSealingKey(env, path)
    return { path, identity, sealingKey, fresh: found === undefined, release: () => lock.release() }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function refuseForeign(env: Env, path: string): Promise<void> {
  await refuseStrangers(env, path, { mark: 'VERSION', beginnings })
}

/** How a directory of ours is told from others. */
export interface Marks {
  /** The file that is written last when it is made. */
  readonly mark: string
  /** What may lie in it before: the remains of a first start that was killed. */
  readonly beginnings: ReadonlySet<string>
}

/** `Incompatible` for a file, and for a directory that is neither marked nor empty. */
export async function refuseStrangers(env: Env, path: string, marks: Marks): Promise<void> {
  const stat = await env.disk.stat(path)
  if (stat === undefined) return
  if (stat.kind !== 'directory') throw new StoreError('Incompatible', `${path} is a file, not a data directory`)
  const names = await env.disk.list(path)
  if (names.includes(marks.mark)) return
  const strangers = names.filter((name) => !marks.beginnings.has(name))
  if (strangers.length > 0) {
    const shown = strangers.slice(0, 3).join(', ')
    throw new StoreError(
      'Incompatible',
      `${path} has no ${marks.mark} file but is not empty (${shown}): it is not an O3 data directory`,
    )
  }
}

/** Undefined before the first start. */
export async function readIdentity(env: Env, path: string): Promise<NodeIdentity | undefined> {
  const text = await readSmallFile(env, `${path}/VERSION`)
  if (text === undefined) return undefined
  const parsed = parseObject(text)
  const { format, clusterId, datanodeId, createdMs } = parsed ?? {}
  if (typeof format === 'number' && format > formatVersion) {
    throw new StoreError(
      'Incompatible',
      `${path} has format ${format}; this release knows ${formatVersion}: use a newer O3`,
    )
  }
  if (
    format !== formatVersion ||
    typeof clusterId !== 'string' ||
    typeof datanodeId !== 'string' ||
    typeof createdMs !== 'number'
  ) {
    throw new StoreError(
      'Incompatible',
      `${path}/VERSION is not what O3 writes: the directory is damaged, or another program's`,
    )
  }
  return { clusterId, datanodeId, createdMs }
}

/** Undefined for what is no JSON object. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** That the directory says who it is and has its key; nothing is changed. `Incompatible`, `Damaged`. */
export async function checkIdentity(env: Env, path: string): Promise<void> {
  await readIdentity(env, path)
  await readSealingKey(env, path)
}

/** The key first: an identity without its key would be a directory that can never be opened. */
async function makeDirectoryOurs(env: Env, path: string): Promise<NodeIdentity> {
  await env.disk.makeDirectory(`${path}/keys`)
  await makeHexKey(env, sealingKeyPath(path))
  const identity = { clusterId: env.random.uuid(), datanodeId: env.random.uuid(), createdMs: env.clock.wallMs() }
  await replaceFile(env, `${path}/VERSION`, `${JSON.stringify({ format: formatVersion, ...identity }, null, 2)}\n`)
  return identity
}

function sealingKeyPath(path: string): string {
  return `${path}/keys/cluster.key`
}

async function readSealingKey(env: Env, path: string): Promise<Uint8Array> {
  return Buffer.from(await readHexKey(env, sealingKeyPath(path), 'without it no secret can be read'), 'hex')
}

/** 32 random bytes in the place of what a start that was killed may have left. Durable when it resolves. */
export async function makeHexKey(env: Env, path: string): Promise<void> {
  if ((await env.disk.stat(path)) !== undefined) await env.disk.remove(path)
  await writeSecretFile(env, path, `${Buffer.from(env.random.bytes(32)).toString('hex')}\n`)
}

/** 64 hexadecimal digits. `Damaged` for anything else. */
export async function readHexKey(env: Env, path: string, need: string): Promise<string> {
  const text = (await readSmallFile(env, path))?.trim()
  if (text === undefined || !/^[0-9a-f]{64}$/.test(text)) {
    throw new StoreError('Damaged', `${path} is missing or damaged: ${need}`)
  }
  return text
}

/** UTF-8; undefined when there is no such file. Larger than 64 KiB is `Incompatible`: we write nothing of that size here. */
export async function readSmallFile(env: Env, path: string): Promise<string | undefined> {
  try {
    const file = await env.disk.open(path, 'read')
    try {
      const bytes = new Uint8Array(await file.size())
      if (bytes.length > maxSmallFileBytes) throw new StoreError('Incompatible', `${path} is too large to be O3's`)
      const length = await file.read(bytes, 0)
      return Buffer.from(bytes.subarray(0, length)).toString('utf8')
    } finally {
      await file.close()
    }
  } catch (error) {
    if (isStoreError(error, 'InvalidArgument') && error.details['errno'] === 'ENOENT') return undefined
    throw error
  }
}

/** Whole or not at all, and durable. Readable to its owner only, as is all that O3 creates. */
export async function replaceFile(env: Env, path: string, text: string): Promise<void> {
  const fresh = `${path}.new`
  if ((await env.disk.stat(fresh)) !== undefined) await env.disk.remove(fresh)
  await writeSecretFile(env, fresh, text)
  await env.disk.rename(fresh, path)
  await env.disk.syncDirectory(parentOf(path))
}

async function writeSecretFile(env: Env, path: string, text: string): Promise<void> {
  const file = await env.disk.open(path, 'create')
  try {
    await file.write([Buffer.from(text)], 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await env.disk.syncDirectory(parentOf(path))
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}
