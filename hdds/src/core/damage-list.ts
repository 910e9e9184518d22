/**
 * Which replicas of a disk are known to be damaged, one finding each: the file `DAMAGED`. What was found by reading a file from end to
 * end is not in that file, and the index can be made anew: without a list a restart calls the replica whole for a week.
 */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { ContainerId } from '@o3/scm/api'
import type { ScrubFinding } from '../api/api.ts'

/** Of one file of the container: a replica of another generation is another file, and whole for all that is known. */
export interface KnownDamage {
  readonly container: ContainerId
  readonly generation: number
  /** The first that was found. */
  readonly kind: Exclude<ScrubFinding['kind'], 'quarantined'>
  readonly local: number | undefined
  readonly fileOffset: number
  readonly message: string
}

const version = 1
/** The order is persisted: append, never reorder. */
const kinds = ['damaged-chunk', 'unreadable', 'index-mismatch'] as const
export const maxDamageText = 200

export function encodeDamageList(list: readonly KnownDamage[]): Uint8Array {
  return new ByteWriter(64)
    .u8(version)
    .list(list, (writer, { container, generation, kind, local, fileOffset, message }) => {
      writer.varint(container).varint(generation).u8(kinds.indexOf(kind))
      writer.optional(local, (to, value) => to.varint(value)).varint(fileOffset)
      writer.utf8(message.slice(0, maxDamageText))
    })
    .finish()
}

/** Throws `Damaged`, and `Incompatible` for a version that this release does not know. */
export function decodeDamageList(bytes: Uint8Array): readonly KnownDamage[] {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version) {
    throw new StoreError('Incompatible', `a list of damage of version ${found}; this release reads version ${version}`)
  }
  return reader.list(readDamage)
}

function readDamage(reader: ByteReader): KnownDamage {
  const container = reader.varint()
  const generation = reader.varint()
  const kind = kinds[reader.u8()]
  if (kind === undefined) throw new StoreError('Damaged', 'a list of damage has an unknown kind')
  const local = reader.optional((each) => each.varint())
  return { container, generation, kind, local, fileOffset: reader.varint(), message: reader.utf8() }
}
