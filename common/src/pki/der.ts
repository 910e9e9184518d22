/**
 * Writes DER (X.690), as much of it as a certificate needs. Nothing here reads: what comes from others is parsed by
 * OpenSSL (`X509Certificate`, `createPublicKey`) and by nothing of ours.
 */

const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

export function sequence(...items: readonly Uint8Array[]): Uint8Array {
  return element(tags.sequence, Buffer.concat(items))
}

export function set(...items: readonly Uint8Array[]): Uint8Array {
  return element(tags.set, Buffer.concat(items))
}

/** Of a number that is not negative, big-endian. */
export function integer(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0)
  const short = first === -1 ? Uint8Array.of(0) : bytes.subarray(first)
  // A leading bit that is set would be a sign.
  const isSigned = ((short[0] ?? 0) & 0x80) !== 0
  return element(tags.integer, isSigned ? Buffer.concat([Uint8Array.of(0), short]) : short)
}

export function boolean(value: boolean): Uint8Array {
  return element(tags.boolean, Uint8Array.of(value ? 0xff : 0))
}

/** `unusedBits` of the last byte. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return element(tags.bitString, Buffer.concat([Uint8Array.of(unusedBits), bytes]))
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return element(tags.octetString, bytes)
}

export function utf8String(text: string): Uint8Array {
  return element(tags.utf8String, Buffer.from(text, 'utf8'))
}

/** Dotted. */
export function oid(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  return element(tags.oid, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

/** UTC, whole seconds; RFC 5280 wants two digits of the year before 2050, and four from then on. */
export function time(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  const isLate = new Date(ms).getUTCFullYear() >= 2050
  return element(isLate ? tags.generalizedTime : tags.utcTime, Buffer.from(isLate ? digits : digits.slice(2)))
}

/** Context-specific: `explicit` holds a whole element, `implicit` the content of one. */
export function tagged(number: number, how: 'explicit' | 'implicit', content: Uint8Array): Uint8Array {
  return element((how === 'explicit' ? 0xa0 : 0x80) | number, content)
}

function element(tag: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(tag), lengthOf(content.length), content])
}

function lengthOf(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length)
  const bytes: number[] = []
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256)
  return Uint8Array.of(0x80 | bytes.length, ...bytes)
}

function base128(arc: number): readonly number[] {
  const bytes = [arc % 128]
  for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) bytes.unshift(0x80 | (left % 128))
  return bytes
}
