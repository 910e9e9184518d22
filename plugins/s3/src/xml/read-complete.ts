/** The body of CompleteMultipartUpload. */

import type { ChecksumAlgorithm } from '@o3/protocol-bus/api'
import { checksumAlgorithms, checksumElement } from '../checksum/algorithms.ts'
import { isDigest } from '../checksum/base64.ts'
import { invalidRequest, invalidArgument, S3Error } from '../core/errors/s3-error.ts'
import { parseDecimal } from '../core/request/decimal.ts'
import { parseXml } from './parse.ts'
import type { XmlElement } from './parse.ts'
import { unquoted } from './text-value.ts'

export interface CompletedPart {
  /** 1 to 10,000. */
  readonly number: number
  /** Without quotes. */
  readonly etag: string
  /** Base64, by algorithm. */
  readonly checksums: Readonly<Partial<Record<ChecksumAlgorithm, string>>>
}

export const maxCompleteBytes = 4 * 1024 * 1024
export const maxPartNumber = 10_000

/**
 * 1 to 10,000 parts, in the document's order (which may be wrong: `InvalidPartOrder` is the store's to say).
 * `MalformedXML`, `InvalidArgument` for a number out of range, `InvalidRequest` for a checksum that is none.
 */
export function readComplete(document: Uint8Array): readonly CompletedPart[] | S3Error {
  const root = parseXml(document, 'CompleteMultipartUpload', { maxElements: 8 * maxPartNumber })
  if (root instanceof S3Error) return root
  const parts: CompletedPart[] = []
  for (const child of root.children) {
    if (child.name !== 'Part') continue
    const part = readPart(child)
    if (part instanceof S3Error) return part
    parts.push(part)
  }
  if (parts.length === 0 || parts.length > maxPartNumber) return new S3Error('MalformedXML')
  return parts
}

/** In one pass over the children, because there may be 10,000 such elements. */
function readPart(element: XmlElement): CompletedPart | S3Error {
  let number: string | undefined
  let etag: string | undefined
  let checksums: Partial<Record<ChecksumAlgorithm, string>> = none
  for (const child of element.children) {
    const text = child.text.trim()
    if (child.name === 'PartNumber') {
      if (number !== undefined) return new S3Error('MalformedXML')
      number = text
    } else if (child.name === 'ETag') {
      if (etag !== undefined) return new S3Error('MalformedXML')
      etag = unquoted(text)
    } else {
      const added = addChecksum(checksums, child.name, text)
      if (added instanceof S3Error) return added
      checksums = added
    }
  }
  if (number === undefined || etag === undefined) return new S3Error('MalformedXML')
  const parsed = parseDecimal(number, maxPartNumber)
  if (parsed === undefined || parsed === 0) {
    return invalidArgument('Part number must be an integer between 1 and 10000, inclusive', 'PartNumber', number)
  }
  return { number: parsed, etag, checksums }
}

const none: Partial<Record<ChecksumAlgorithm, string>> = {}

function addChecksum(
  checksums: Partial<Record<ChecksumAlgorithm, string>>,
  name: string,
  text: string,
): Partial<Record<ChecksumAlgorithm, string>> | S3Error {
  const algorithm = checksumAlgorithms.find((each) => checksumElement[each] === name)
  // SDKs write the elements of all algorithms and leave those empty that the part has not.
  if (algorithm === undefined || text === '') return checksums
  if (checksums[algorithm] !== undefined) return new S3Error('MalformedXML')
  if (!isDigest(text, algorithm)) return invalidRequest(`Value for ${name} element is invalid.`)
  return { ...checksums, [algorithm]: text }
}
