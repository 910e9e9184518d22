/** What the headers of a request say about checksums. */

import type { ChecksumAlgorithm } from '@o3/protocol-bus/api'
import { invalidRequest, S3Error } from '../core/errors/s3-error.ts'
import {
  checksumAlgorithms,
  checksumHeader,
  checksumName,
  checksumTypeName,
  checksumTypesOf,
  parseChecksumHeader,
  parseChecksumName,
  parseChecksumType,
} from './algorithms.ts'
import type { ChecksumType } from './algorithms.ts'
import { decodeDigest, isDigest } from './base64.ts'

export type PromisedChecksum =
  /** The value came as a header. */
  | {
      readonly kind: 'header'
      readonly algorithm: ChecksumAlgorithm
      readonly value: string
      readonly bytes: Uint8Array
    }
  /** The value follows the body. */
  | { readonly kind: 'trailer'; readonly algorithm: ChecksumAlgorithm }

type Headers = ReadonlyMap<string, string>

/** Of PUT, of a part and of documents. Undefined: none was promised. `InvalidRequest`, `NotImplemented`. */
export function promisedChecksum(headers: Headers): PromisedChecksum | undefined | S3Error {
  const algorithm = headerAlgorithm(headers)
  if (algorithm instanceof S3Error) return algorithm
  const trailer = trailerAlgorithm(headers)
  if (trailer instanceof S3Error) return trailer
  if (algorithm !== undefined && trailer !== undefined) return severalChecksums()
  const named = checkNamedAlgorithm(headers, algorithm ?? trailer)
  if (named !== undefined) return named
  if (algorithm !== undefined) return valueOf(headers, algorithm)
  return trailer === undefined ? undefined : { kind: 'trailer', algorithm: trailer }
}

/** Of CreateMultipartUpload: `x-amz-checksum-algorithm` and `-type`. Undefined: the client asked for none. */
export function uploadChecksum(
  headers: Headers,
): { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType } | undefined | S3Error {
  const algorithm = copyChecksum(headers)
  if (algorithm instanceof S3Error) return algorithm
  const type = checksumTypeHeader(headers)
  if (type instanceof S3Error) return type
  if (algorithm === undefined) {
    if (type === undefined) return undefined
    return invalidRequest('The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.')
  }
  const types = checksumTypesOf(algorithm)
  if (type === undefined) return { algorithm, type: types[0] }
  if (types.includes(type)) return { algorithm, type }
  return invalidRequest(
    `The ${checksumTypeName[type]} checksum type cannot be used with the ${checksumName[algorithm].toLowerCase()} checksum algorithm.`,
  )
}

/** Of CopyObject: `x-amz-checksum-algorithm`. */
export function copyChecksum(headers: Headers): ChecksumAlgorithm | undefined | S3Error {
  const name = headers.get('x-amz-checksum-algorithm')
  if (name === undefined) return undefined
  return parseChecksumName(name) ?? unsupportedAlgorithm()
}

/**
 * Of CompleteMultipartUpload: the checksum of the whole that the client expects, in base64 (of a composite one, without
 * its `-N`), and the type that it expects it to be.
 */
export function wholeChecksum(
  headers: Headers,
):
  | { readonly algorithm: ChecksumAlgorithm; readonly value: string; readonly type?: ChecksumType }
  | { readonly algorithm?: undefined; readonly type: ChecksumType }
  | undefined
  | S3Error {
  const algorithm = headerAlgorithm(headers)
  if (algorithm instanceof S3Error) return algorithm
  const type = checksumTypeHeader(headers)
  if (type instanceof S3Error) return type
  if (algorithm === undefined) return type === undefined ? undefined : { type }
  const value = (headers.get(checksumHeader[algorithm]) as string).replace(/-\d{1,5}$/, '')
  if (!isDigest(value, algorithm)) return invalidValue(checksumHeader[algorithm])
  return type === undefined ? { algorithm, value } : { algorithm, value, type }
}

/** `Value for x-amz-checksum-crc32 header is invalid.` */
export function invalidValue(header: string): S3Error {
  return invalidRequest(`Value for ${header} header is invalid.`)
}

/** The algorithm of the one value header; several are refused, whether they agree or not. */
function headerAlgorithm(headers: Headers): ChecksumAlgorithm | undefined | S3Error {
  let found: ChecksumAlgorithm | undefined
  for (const algorithm of checksumAlgorithms) {
    if (!headers.has(checksumHeader[algorithm])) continue
    if (found !== undefined) return severalChecksums()
    found = algorithm
  }
  for (const header of laterHeaders) {
    if (headers.has(header)) return new S3Error('NotImplemented', { elements: { Header: header } })
  }
  return found
}

/** Algorithms that S3 took up later. A client that sends one relies on its being checked. */
const laterHeaders = [
  'x-amz-checksum-md5',
  'x-amz-checksum-sha512',
  'x-amz-checksum-xxhash3',
  'x-amz-checksum-xxhash64',
  'x-amz-checksum-xxhash128',
]

function trailerAlgorithm(headers: Headers): ChecksumAlgorithm | undefined | S3Error {
  const announced = headers.get('x-amz-trailer')
  if (announced === undefined || announced === '') return undefined
  return (
    parseChecksumHeader(announced) ?? invalidRequest('The value specified in the x-amz-trailer header is not supported')
  )
}

function valueOf(headers: Headers, algorithm: ChecksumAlgorithm): PromisedChecksum | S3Error {
  const header = checksumHeader[algorithm]
  const value = headers.get(header) as string
  const bytes = decodeDigest(value, algorithm)
  return bytes === undefined ? invalidValue(header) : { kind: 'header', algorithm, value, bytes }
}

/** SDKs also say in a header of its own which algorithm they used; it must be the one that they did use. */
function checkNamedAlgorithm(headers: Headers, used: ChecksumAlgorithm | undefined): S3Error | undefined {
  const name = headers.get('x-amz-sdk-checksum-algorithm')
  if (name === undefined) return undefined
  const named = parseChecksumName(name)
  if (named === undefined) return invalidValue('x-amz-sdk-checksum-algorithm')
  if (used === undefined) {
    return invalidRequest(
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    )
  }
  return named === used ? undefined : invalidValue('x-amz-sdk-checksum-algorithm')
}

function checksumTypeHeader(headers: Headers): ChecksumType | undefined | S3Error {
  const name = headers.get('x-amz-checksum-type')
  if (name === undefined) return undefined
  return parseChecksumType(name) ?? invalidValue('x-amz-checksum-type')
}

function unsupportedAlgorithm(): S3Error {
  const names = checksumAlgorithms.map((algorithm) => checksumName[algorithm]).join(', ')
  return invalidRequest(
    `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${names}]`,
  )
}

function severalChecksums(): S3Error {
  return invalidRequest('Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.')
}
