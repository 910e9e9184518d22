/** Checksums as headers and documents show them. */

import type { Checksum, ChecksumAlgorithm } from '@o3/protocol-bus/api'
import { checksumElement, checksumHeader, checksumName, checksumTypeName } from '../checksum/algorithms.ts'
import { shownChecksum } from '../checksum/multipart.ts'
import type { ShownChecksum } from '../core/xml/write-result.ts'

/** Pushes `x-amz-checksum-…` and `x-amz-checksum-type`. `parts`: of the object, for a composite one. */
export function pushChecksum(headers: string[], checksum: Checksum, parts: number): void {
  headers.push(
    checksumHeader[checksum.algorithm],
    shownChecksum(checksum, parts),
    'x-amz-checksum-type',
    checksumTypeName[checksum.type],
  )
}

/** For a document that also has the type. */
export function checksumOfWhole(checksum: Checksum | undefined, parts: number): ShownChecksum | undefined {
  if (checksum === undefined) return undefined
  return {
    element: checksumElement[checksum.algorithm],
    value: shownChecksum(checksum, parts),
    type: checksumTypeName[checksum.type],
  }
}

/** For a document that has only the value: of a part. */
export function checksumOfPart(algorithm: ChecksumAlgorithm, value: string): ShownChecksum {
  return { element: checksumElement[algorithm], value }
}

/** The columns of listings. */
export function checksumColumns(checksum: Pick<Checksum, 'algorithm' | 'type'> | undefined): {
  readonly checksumAlgorithm?: string
  readonly checksumType?: string
} {
  if (checksum === undefined) return {}
  return { checksumAlgorithm: checksumName[checksum.algorithm], checksumType: checksumTypeName[checksum.type] }
}
