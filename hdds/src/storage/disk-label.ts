/** Reads, checks and writes the identity of a disk's directory. */

import type { Disk, Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { checkOwner, decodeIdentity, encodeIdentity, identityFileName, layoutVersion } from '../core/disk-identity.ts'
import type { DiskIdentity, ExpectedOwner } from '../core/disk-identity.ts'

const unfinishedName = `${identityFileName}.unfinished`
const longestIdentityBytes = 4096
/** Left by a format that a crash stopped before its end, by a lock, or by `mkfs`: a disk with only these is empty. */
const harmless = /^(VERSION\.unfinished|LOCK(\..*)?|lost\+found)$/

/**
 * The identity of the disk, or undefined when it is empty. Changes nothing. Throws `Incompatible` for a directory of somebody
 * else, also where that has a `VERSION` of its own; `Damaged` when it cannot be read and there are containers.
 */
export async function readLabel(disk: Disk, path: string): Promise<DiskIdentity | undefined> {
  const stat = await disk.stat(path)
  if (stat === undefined) return undefined
  if (stat.kind !== 'directory')
    throw new StoreError('Incompatible', `${path} is not a directory`, { details: { path } })
  const names = await disk.list(path)
  if (!names.includes(identityFileName)) {
    const stranger = names.find((name) => !harmless.test(name))
    if (stranger === undefined) return undefined
    throw new StoreError('Incompatible', `${path} is not empty (${stranger}) and is no disk of ours`, {
      details: { path },
    })
  }
  const decoded = decodeIdentity(await readText(disk, `${path}/${identityFileName}`), path)
  if (!('kind' in decoded)) return decoded
  if (decoded.code !== 'Damaged' || names.includes('containers')) throw StoreError.fromRecord(decoded)
  throw new StoreError('Incompatible', `${path} has a ${identityFileName} that is not O3's: it is no disk of ours`, {
    details: { path },
  })
}

/** Throws `Incompatible` when the disk is another's. */
export function assertOwner(identity: DiskIdentity, owner: ExpectedOwner, path: string): void {
  const refusal = checkOwner(identity, owner, path)
  if (refusal !== undefined) throw StoreError.fromRecord(refusal)
}

/** Makes an empty directory a disk: durable when it resolves. */
export async function writeLabel(
  env: Pick<Env, 'disk' | 'random' | 'at'>,
  path: string,
  owner: ExpectedOwner,
): Promise<DiskIdentity> {
  const { disk } = env
  const identity = { layoutVersion, diskUuid: env.random.uuid(), ...owner }
  const unfinished = `${path}/${unfinishedName}`
  if ((await disk.stat(unfinished)) !== undefined) await disk.remove(unfinished)
  const file = await disk.open(unfinished, 'create')
  try {
    await file.write([new TextEncoder().encode(encodeIdentity(identity))], 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(unfinished, `${path}/${identityFileName}`)
  env.at('hdds.disk.identity-written')
  await disk.syncDirectory(path)
  return identity
}

async function readText(disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path, 'read')
  try {
    const bytes = new Uint8Array(longestIdentityBytes)
    return new TextDecoder().decode(bytes.subarray(0, await file.read(bytes, 0)))
  } finally {
    await file.close()
  }
}
