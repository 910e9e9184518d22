/** Percent-encoding (RFC 3986 §2.1), in the one form that S3 and its signatures know. */

/**
 * Decodes once. Undefined where an escape is broken, or where the bytes are not UTF-8 (overlong forms and surrogates
 * are not). A `+` stays one.
 */
export function decodePercent(raw: string): string | undefined {
  if (!raw.includes('%')) return raw
  try {
    return decodeURIComponent(raw)
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

/** The same for names and values of a query, where `+` is a space. */
export function decodeQueryPart(raw: string): string | undefined {
  return decodePercent(raw.includes('+') ? raw.replaceAll('+', ' ') : raw)
}

/** All but RFC 3986's unreserved characters is escaped, in upper case. */
export function encodePart(text: string): string {
  const encoded = encodeURIComponent(text)
  return leftByEncodeUri.test(encoded) ? encoded.replace(everyLeftByEncodeUri, escapeAscii) : encoded
}

/** The same, but `/` stays. */
export function encodePath(text: string): string {
  if (onlyUnreserved.test(text)) return text
  const encoded = encodePart(text)
  return encoded.includes('%2F') ? encoded.replaceAll('%2F', '/') : encoded
}

/**
 * True when `raw` is what `encodePath` (or, where `slash` is not `plain`, `encodePart`) would write: the usual case,
 * told by one pass without an allocation.
 */
export function isCanonical(raw: string, slash: 'plain' | 'escaped', from = 0, to = raw.length): boolean {
  const plain = slash === 'plain' ? unreservedAndSlash : unreserved
  for (let i = from; i < to; i++) {
    const code = raw.charCodeAt(i)
    if (code === percentSign) {
      const escaped = upperHexDigit(raw.charCodeAt(i + 1)) * 16 + upperHexDigit(raw.charCodeAt(i + 2))
      if (escaped < 0 || i + 2 >= to || plain[escaped] === 1) return false
      i += 2
    } else if (plain[code] !== 1) {
      return false
    }
  }
  return true
}

const percentSign = 0x25
const slashSign = 0x2f

const leftByEncodeUri = /[!'()*]/
const everyLeftByEncodeUri = /[!'()*]/g
const onlyUnreserved = /^[A-Za-z0-9\-._~/]*$/

const unreserved = new Uint8Array(256)
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~') {
  unreserved[character.charCodeAt(0)] = 1
}
const unreservedAndSlash = unreserved.with(slashSign, 1)

/** For what is not a digit of hexadecimal in upper case, so low that no other digit makes up for it. */
function upperHexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  return code >= 0x41 && code <= 0x46 ? code - 0x37 : -1000
}

function escapeAscii(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}
