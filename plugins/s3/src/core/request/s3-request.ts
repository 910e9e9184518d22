/** A request in S3's terms, from the raw target and the raw headers: each byte of them is read once, here. */

import type { HttpRequest } from '@o3/protocol-bus/api'
import type { S3Error } from '../errors/s3-error.ts'

export interface QueryParameter {
  /** Decoded. Names that start with `x-amz-` are lower-case, whatever the client wrote. */
  readonly name: string
  /** Decoded; empty for `?acl` and for `?acl=`. */
  readonly value: string
}

export interface S3Request {
  readonly id: string
  readonly method: string
  /** The raw target, and its two halves; `rawQuery` is without the `?`. */
  readonly target: string
  readonly rawPath: string
  readonly rawQuery: string
  /** As the client wrote it, with the port. */
  readonly host: string
  readonly style: 'path' | 'virtual-host'
  /** Undefined for the service itself (`/`). Not validated as a bucket name. */
  readonly bucket: string | undefined
  /** Decoded once, valid UTF-8 and otherwise as sent; undefined for the bucket itself. */
  readonly key: string | undefined
  /** In the order of the target. No name occurs twice. */
  readonly parameters: readonly QueryParameter[]
  readonly query: ReadonlyMap<string, string>
  /** By lower-case name, trimmed, characters 0–255 as bytes. What handlers read: with the hoisted parameters. */
  readonly headers: ReadonlyMap<string, string>
  /** The headers alone, as they came: what a signature covers. */
  readonly wireHeaders: ReadonlyMap<string, string>
  /** Names that came more than once (their values are joined with a comma); none of them may be signed. */
  readonly repeated: ReadonlySet<string>
}

export interface ParseOptions {
  /** Domains whose sub-domains are buckets, lower-case, without a port: `s3.example.org`. */
  readonly virtualHostDomains: readonly string[]
}

export declare function parseRequest(http: HttpRequest, options: ParseOptions): S3Request | S3Error
