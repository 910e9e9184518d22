/** The parts that a completion names, as they are stored. OM judges once more, atomically with the commit. */

import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'

export interface NamedPart {
  readonly number: number
  readonly etag: string
  readonly checksum?: string
}

interface StoredPart {
  readonly number: number
  readonly size: number
  readonly etag: string
  readonly checksum?: { readonly value: string }
}

/** In the named order. `InvalidPartOrder`, then `InvalidPart`, then `PartTooSmall` (details: the part). */
export function selectParts<P extends StoredPart>(
  stored: readonly P[],
  named: readonly NamedPart[],
  minPartBytes: number,
): readonly P[] | Refusal {
  if (named.length === 0) return refuse('InvalidPart', 'an upload is completed from at least one part')
  if (!isAscending(named)) return refuse('InvalidPartOrder', 'parts are named in ascending order')
  const byNumber = new Map(stored.map((part) => [part.number, part]))
  const selected: P[] = []
  for (const name of named) {
    const part = byNumber.get(name.number)
    if (part === undefined || !isNamed(part, name)) {
      return refuse('InvalidPart', 'a named part is not there, or is another one', { number: name.number })
    }
    selected.push(part)
  }
  const small = selected.slice(0, -1).find(({ size }) => size < minPartBytes)
  if (small === undefined) return selected
  const { number, size, etag } = small
  return refuse('PartTooSmall', 'every part but the last has a least size', { number, size, etag, minPartBytes })
}

function isAscending(named: readonly NamedPart[]): boolean {
  return named.every(({ number }, index) => index === 0 || number > (named[index - 1]?.number ?? Infinity))
}

function isNamed(part: StoredPart, name: NamedPart): boolean {
  return part.etag === name.etag && (name.checksum === undefined || name.checksum === part.checksum?.value)
}
