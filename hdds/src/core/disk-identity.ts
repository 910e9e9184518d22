/**
 * The file `VERSION` in the root of each disk: whose disk it is and how it is laid out. It is written once, before
 * anything else, and is readable to a person.
 */

import type { DatanodeId } from '@o3/scm/api'
import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Crc32c } from './record.ts'
import type { ContainerFileName } from './container-name.ts'

export const layoutVersion = 1
export const identityFileName = 'VERSION'

export interface DiskIdentity {
  readonly layoutVersion: number
  readonly diskUuid: string
  readonly clusterId: string
  readonly datanodeId: DatanodeId
}

/** Whom the caller takes itself for. */
export interface ExpectedOwner {
  readonly clusterId: string
  readonly datanodeId: DatanodeId
}

export function encodeIdentity(identity: DiskIdentity): string {
  return `${JSON.stringify(identity, null, 2)}\n`
}

/** The identity, or why this is not a disk that this version can use. `Damaged` for what nobody has written as it is. */
export function decodeIdentity(text: string, path: string): DiskIdentity | Refusal {
  const value = parseObject(text)
  if (value === undefined) return refuse('Damaged', `${path}/${identityFileName} is not readable`, { path })
  const { layoutVersion: layout, diskUuid, clusterId, datanodeId } = value
  if (layout !== layoutVersion) {
    return refuse('Incompatible', `${path} has disk layout ${String(layout)}; this version knows ${layoutVersion}`, {
      path,
    })
  }
  if (!isName(diskUuid) || !isName(clusterId) || !isName(datanodeId)) {
    return refuse('Damaged', `${path}/${identityFileName} is incomplete`, { path })
  }
  return { layoutVersion, diskUuid, clusterId, datanodeId }
}

/** Undefined when the disk is the caller's own. */
export function checkOwner(identity: DiskIdentity, owner: ExpectedOwner, path: string): Refusal | undefined {
  if (identity.clusterId !== owner.clusterId) {
    return refuse('Incompatible', `${path} belongs to cluster ${identity.clusterId}, not to ${owner.clusterId}`, {
      path,
    })
  }
  if (identity.datanodeId !== owner.datanodeId) {
    return refuse('Incompatible', `${path} belongs to datanode ${identity.datanodeId}, not to ${owner.datanodeId}`, {
      path,
    })
  }
  return undefined
}

/** What the header checksums of a container file start from. */
export function recordSeed(diskUuid: string, name: ContainerFileName, crc: Crc32c): number {
  const text = `${diskUuid}/${name.container}/${name.generation}`
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return crc(bytes)
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch (error) {
    // A syntax error is an answer here: the file is not an identity.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{1,128}$/.test(value)
}
