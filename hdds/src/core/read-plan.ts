/** Which bytes of a container file a range of a block needs. */

import { checksumUnitBytes } from '../api/api.ts'
import type { BlockRow, Extent } from './block-row.ts'
import { headerBytes, unitCount } from './record-layout.ts'

/** Part of one data record. */
export interface ExtentRead {
  readonly extent: Extent
  /** Of the record's payload in the block. */
  readonly blockOffset: number
  /** Wanted bytes of the payload, `to` exclusive. */
  readonly from: number
  readonly to: number
}

/** In block order. The range must lie within the block. */
export function planReads(row: BlockRow, offset: number, length: number): ExtentRead[] {
  const reads: ExtentRead[] = []
  const end = offset + length
  let blockOffset = 0
  for (const extent of row.extents) {
    const next = blockOffset + extent.length
    if (next > offset && blockOffset < end) {
      reads.push({
        extent,
        blockOffset,
        from: Math.max(0, offset - blockOffset),
        to: Math.min(extent.length, end - blockOffset),
      })
    }
    if (next >= end) break
    blockOffset = next
  }
  return reads
}

/** The file bytes for one extent read: the header, and the checksum units that the range touches. */
export interface UnitSpan {
  readonly headerBytes: number
  readonly firstUnit: number
  /** Exclusive. */
  readonly endUnit: number
  /** Of the payload; whole units. */
  readonly from: number
  readonly to: number
  /** One read fetches header and units together: what lies between them is less than a second read costs. */
  readonly together: boolean
}

const worthASecondRead = 4 * checksumUnitBytes

export function planUnits({ extent, from, to }: ExtentRead): UnitSpan {
  const firstUnit = Math.floor(from / checksumUnitBytes)
  const endUnit = Math.ceil(to / checksumUnitBytes)
  return {
    headerBytes: headerBytes(unitCount(extent.length)),
    firstUnit,
    endUnit,
    from: firstUnit * checksumUnitBytes,
    to: Math.min(extent.length, endUnit * checksumUnitBytes),
    together: firstUnit * checksumUnitBytes < worthASecondRead,
  }
}
