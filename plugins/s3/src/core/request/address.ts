/** Which bucket and which key a request is about: the one place that reads names from a host and a path. */

import { S3Error } from '../errors/s3-error.ts'
import { decodePercent } from './percent.ts'

export interface Address {
  readonly style: 'path' | 'virtual-host'
  /** Undefined for the service itself. Not validated as a bucket name. */
  readonly bucket: string | undefined
  /** Undefined for the bucket itself. */
  readonly key: string | undefined
}

/**
 * Path style (`/bucket/key`) unless the host is a sub-domain of one of `domains` (lower-case, without a port). A name
 * is decoded once; after that it is never cleaned, split or joined: `a//b`, `../a` and `%2F` are keys like any other.
 */
export function parseAddress(host: string, rawPath: string, domains: readonly string[]): Address | S3Error {
  const bucket = bucketOfHost(host, domains)
  if (bucket === undefined) return parsePathStyle(rawPath)
  const key = decodeName(rawPath, 1)
  return key === undefined ? invalidUri() : { style: 'virtual-host', bucket, key: key === '' ? undefined : key }
}

/** `/bucket/key` or `/bucket`, as paths and copy sources have it. */
export function parsePathStyle(rawPath: string): Address | S3Error {
  if (rawPath.length <= 1) return service
  const slash = rawPath.indexOf('/', 1)
  const bucket = decodeName(rawPath, 1, slash < 0 ? rawPath.length : slash)
  const key = slash < 0 ? '' : decodeName(rawPath, slash + 1)
  if (bucket === undefined || key === undefined) return invalidUri()
  if (bucket === '') return new S3Error('InvalidBucketName', { elements: { BucketName: '' } })
  return { style: 'path', bucket, key: key === '' ? undefined : key }
}

const service: Address = { style: 'path', bucket: undefined, key: undefined }

function decodeName(raw: string, from: number, to = raw.length): string | undefined {
  return decodePercent(raw.slice(from, to))
}

function bucketOfHost(host: string, domains: readonly string[]): string | undefined {
  if (domains.length === 0) return undefined
  // An address in brackets is no name, and its colons are no port's.
  const colon = host.startsWith('[') ? -1 : host.indexOf(':')
  const name = (colon < 0 ? host : host.slice(0, colon)).toLowerCase()
  for (const domain of domains) {
    const dot = name.length - domain.length - 1
    if (dot > 0 && name[dot] === '.' && name.endsWith(domain)) return name.slice(0, dot)
  }
  return undefined
}

function invalidUri(): S3Error {
  return new S3Error('InvalidURI')
}
