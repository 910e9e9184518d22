/** The canonical query of SigV4: parameters encoded in one way and sorted by their encoded names. */

import { decodeQueryPart, encodePart, isCanonical } from '../request/percent.ts'

/**
 * SDKs send the query in this form already: that is found out in one pass, and the raw query is the answer. Otherwise
 * each part is decoded and encoded again. A part that cannot be decoded never gets here (`parseRequest` refuses it).
 */
export function canonicalQuery(raw: string): string {
  return isCanonicalQuery(raw) ? raw : rewritten(raw)
}

/** Without the parameter `X-Amz-Signature`, wherever it stands, and otherwise untouched. */
export function withoutSignature(raw: string): string {
  let start = 0
  while (start < raw.length) {
    const ampersand = raw.indexOf('&', start)
    const end = ampersand < 0 ? raw.length : ampersand
    if (isSignature(raw, start, end)) return cut(raw, start, end)
    start = end + 1
  }
  return raw
}

const signatureName = 'x-amz-signature'

function isSignature(raw: string, start: number, end: number): boolean {
  if (raw.startsWith('X-Amz-Signature=', start)) return true
  const equals = raw.indexOf('=', start)
  const nameEnd = equals < 0 || equals > end ? end : equals
  const name = raw.slice(start, nameEnd)
  // Its letters may be escaped too; no other parameter than one that means this one may be left out.
  return name.length >= signatureName.length && decodeQueryPart(name)?.toLowerCase() === signatureName
}

function cut(raw: string, start: number, end: number): string {
  if (end === raw.length) return raw.slice(0, Math.max(start - 1, 0))
  return raw.slice(0, start) + raw.slice(end + 1)
}

function isCanonicalQuery(raw: string): boolean {
  let earlier: string | undefined
  let start = 0
  while (start < raw.length) {
    const ampersand = raw.indexOf('&', start)
    const end = ampersand < 0 ? raw.length : ampersand
    const equals = raw.indexOf('=', start)
    if (equals < 0 || equals > end) return false
    if (!isCanonical(raw, 'escaped', start, equals) || !isCanonical(raw, 'escaped', equals + 1, end)) return false
    const name = raw.slice(start, equals)
    // Equal names would be sorted by value; no request that gets here has any.
    if (equals === start || (earlier !== undefined && earlier >= name)) return false
    earlier = name
    start = end + 1
  }
  return !raw.endsWith('&')
}

function rewritten(raw: string): string {
  const pairs: (readonly [name: string, value: string])[] = []
  for (const part of raw.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = equals < 0 ? part : part.slice(0, equals)
    pairs.push([recoded(name), equals < 0 ? '' : recoded(part.slice(equals + 1))])
  }
  pairs.sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
  return pairs.map(([name, value]) => `${name}=${value}`).join('&')
}

function recoded(raw: string): string {
  return encodePart(decodeQueryPart(raw) ?? raw)
}

/** Encoded text is ASCII: the order of its characters is that of its bytes. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
