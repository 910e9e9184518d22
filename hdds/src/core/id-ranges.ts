/**
 * A set of container ids that hardly ever shrinks, as runs without gaps between them: ids are given out in order, and most containers
 * of a disk's past are gone, so that a million deletions are a few runs.
 */

import type { ContainerId } from '@o3/scm/api'
import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'

/** Both ends belong to it. */
export interface IdRange {
  readonly first: ContainerId
  readonly last: ContainerId
}

export class IdRanges {
  private readonly ranges: IdRange[]

  /** Rising, and neither overlapping nor touching. */
  constructor(ranges: readonly IdRange[] = []) {
    this.ranges = [...ranges]
  }

  get all(): readonly IdRange[] {
    return this.ranges
  }

  has(id: ContainerId): boolean {
    const range = this.ranges[this.place(id)]
    return range !== undefined && range.first <= id
  }

  add(id: ContainerId): void {
    const at = this.place(id)
    const next = this.ranges[at]
    if (next !== undefined && next.first <= id) return
    const before = this.ranges[at - 1]
    const joinsBefore = before !== undefined && before.last === id - 1
    const joinsNext = next !== undefined && next.first === id + 1
    const range = { first: joinsBefore ? before.first : id, last: joinsNext ? next.last : id }
    this.ranges.splice(at - (joinsBefore ? 1 : 0), (joinsBefore ? 1 : 0) + (joinsNext ? 1 : 0), range)
  }

  /** At most so many runs: the lowest become one, with what was between them. */
  coarsen(most: number): void {
    const joined = this.ranges.splice(0, Math.max(0, this.ranges.length - most) + 1)
    const [lowest, highest] = [joined[0], joined.at(-1)]
    if (lowest !== undefined && highest !== undefined) this.ranges.unshift({ first: lowest.first, last: highest.last })
  }

  remove(id: ContainerId): void {
    const at = this.place(id)
    const range = this.ranges[at]
    if (range === undefined || range.first > id) return
    const rest: IdRange[] = []
    if (range.first < id) rest.push({ first: range.first, last: id - 1 })
    if (id < range.last) rest.push({ first: id + 1, last: range.last })
    this.ranges.splice(at, 1, ...rest)
  }

  /** The first range that ends at `id` or behind it. */
  private place(id: ContainerId): number {
    let low = 0
    let high = this.ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.ranges[middle] as IdRange).last < id) low = middle + 1
      else high = middle
    }
    return low
  }
}

const version = 1

/** | version 1 | ranges |. */
export function encodeIdRanges({ all }: IdRanges): Uint8Array {
  const writer = new ByteWriter(64).u8(version)
  writeIdRanges(writer, all)
  return writer.finish()
}

/** Gap to the one before, ids in it less one; varints. */
export function writeIdRanges(writer: ByteWriter, ranges: readonly IdRange[]): void {
  let end = 0
  writer.list(ranges, (to, { first, last }) => {
    to.varint(first - end).varint(last - first)
    end = last
  })
}

/** Throws `Damaged`, and `Incompatible` for a version that this release does not know. */
export function decodeIdRanges(bytes: Uint8Array): IdRanges {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version) {
    throw new StoreError('Incompatible', `id ranges of version ${found}; this release reads version ${version}`)
  }
  return new IdRanges(readIdRanges(reader))
}

/** Throws `Damaged`. */
export function readIdRanges(reader: ByteReader): readonly IdRange[] {
  let end = 0
  return reader.list((from) => {
    const first = end + from.varint()
    end = first + from.varint()
    return { first, last: end }
  })
}
