/**
 * Request headers that change what a request means. An operation names those that it honours; any other of them is
 * refused, because a client that asked for encryption, a lock or a grant and got a plain 200 believes that it has it.
 * What merely describes the request (signature, checksums, `x-amz-meta-*`), or is no header of S3, is not listed here.
 */

import { S3Error } from '../core/errors/s3-error.ts'

export interface HeaderRule {
  /** Lower-case; with `*` at its end, all headers that start so. */
  readonly name: string
  readonly code: 'NotImplemented' | 'AccessControlListNotSupported' | 'InvalidStorageClass'
  /** Values that ask for what is so anyway, in whatever case, or `any`. They are accepted by every operation. */
  readonly harmless?: readonly string[] | 'any'
  /** Only writes refuse it: RFC 9110 lets a read ignore a condition. */
  readonly on?: 'writes'
  /** Why, for the compatibility page. */
  readonly why: string
}

const notYet = 'not implemented'

export const headerRules: readonly HeaderRule[] = [
  {
    name: 'x-amz-acl',
    code: 'AccessControlListNotSupported',
    harmless: ['private', 'bucket-owner-full-control', 'bucket-owner-read'],
    why: 'access follows the bucket, as with the ownership setting BucketOwnerEnforced',
  },
  { name: 'x-amz-grant-*', code: 'AccessControlListNotSupported', why: 'as x-amz-acl' },
  {
    name: 'x-amz-object-ownership',
    code: 'NotImplemented',
    harmless: ['BucketOwnerEnforced'],
    why: 'objects belong to the bucket and not to their writers',
  },
  { name: 'x-amz-server-side-encryption*', code: 'NotImplemented', why: notYet },
  { name: 'x-amz-copy-source-server-side-encryption*', code: 'NotImplemented', why: notYet },
  {
    name: 'x-amz-bucket-object-lock-enabled',
    code: 'NotImplemented',
    harmless: ['false'],
    why: notYet,
  },
  { name: 'x-amz-object-lock-*', code: 'NotImplemented', why: notYet },
  {
    name: 'x-amz-bypass-governance-retention',
    code: 'NotImplemented',
    harmless: 'any',
    why: 'there is no retention to bypass',
  },
  { name: 'x-amz-mfa', code: 'NotImplemented', why: notYet },
  {
    name: 'x-amz-storage-class',
    code: 'InvalidStorageClass',
    harmless: ['STANDARD'],
    why: 'there is one class',
  },
  { name: 'x-amz-website-redirect-location', code: 'NotImplemented', why: notYet },
  { name: 'x-amz-request-payer', code: 'NotImplemented', harmless: 'any', why: 'nobody is charged' },
  { name: 'x-amz-tagging', code: 'NotImplemented', why: 'where S3 does not read it either' },
  { name: 'x-amz-copy-source*', code: 'NotImplemented', why: 'where S3 does not read it either' },
  {
    name: 'x-amz-object-annotation-directive',
    code: 'NotImplemented',
    harmless: 'any',
    why: 'there are no annotations',
  },
  { name: 'x-amz-write-offset-bytes', code: 'NotImplemented', why: notYet },
  { name: 'x-amz-if-match-*', code: 'NotImplemented', why: 'of directory buckets only' },
  { name: 'x-amz-rename-source*', code: 'NotImplemented', why: 'of directory buckets only' },
  { name: 'x-amz-bucket-namespace', code: 'NotImplemented', harmless: ['global'], why: notYet },
  { name: 'content-range', code: 'NotImplemented', on: 'writes', why: 'a part of an object cannot be written' },
  { name: 'if-match', code: 'NotImplemented', on: 'writes', why: 'where S3 does not read it either' },
  { name: 'if-none-match', code: 'NotImplemented', on: 'writes', why: 'where S3 does not read it either' },
  { name: 'if-modified-since', code: 'NotImplemented', on: 'writes', why: 'where S3 does not read it either' },
  { name: 'if-unmodified-since', code: 'NotImplemented', on: 'writes', why: 'where S3 does not read it either' },
]

const exact = new Map<string, HeaderRule>()
const prefixes: (readonly [prefix: string, rule: HeaderRule])[] = []
for (const rule of headerRules) {
  if (rule.name.endsWith('*')) prefixes.push([rule.name.slice(0, -1), rule])
  else exact.set(rule.name, rule)
}

/** The first header that asks for what the operation does not do. `honoured` are the operation's own. */
export function refusedHeader(
  headers: ReadonlyMap<string, string>,
  honoured: ReadonlySet<string>,
  reading: boolean,
): S3Error | undefined {
  for (const [name, value] of headers) {
    const rule = ruleOf(name)
    if (rule === undefined || honoured.has(name) || (reading && rule.on === 'writes') || isHarmless(rule, value))
      continue
    return refusal(rule, name, value)
  }
  return undefined
}

function ruleOf(name: string): HeaderRule | undefined {
  const rule = exact.get(name)
  if (rule !== undefined || !name.startsWith('x-amz-')) return rule
  // `x-amz-meta-…`, `x-amz-content-…` and `x-amz-date` come most; no prefix starts with their letters.
  const letter = name.charCodeAt(6)
  for (const [prefix, candidate] of prefixes) {
    if (prefix.charCodeAt(6) === letter && name.startsWith(prefix)) return candidate
  }
  return undefined
}

function isHarmless({ harmless }: HeaderRule, value: string): boolean {
  if (harmless === undefined) return false
  const asked = value.toLowerCase()
  return harmless === 'any' || harmless.some((accepted) => accepted.toLowerCase() === asked)
}

function refusal({ code }: HeaderRule, name: string, value: string): S3Error {
  switch (code) {
    case 'NotImplemented':
      // S3's own words: it names the header in an element.
      return new S3Error(code, { elements: { Header: name } })
    case 'InvalidStorageClass':
      return new S3Error(code, { elements: { StorageClassRequested: value } })
    case 'AccessControlListNotSupported':
      return new S3Error(code)
  }
}
