/**
 * The byte codec of persisted and sent records: pure, so that table codecs can live in `core`. Every record starts with
 * a version byte; varints are unsigned LEB128 up to 2^53; strings are UTF-8 with a length; binary strings are raw.
 */

import { StoreError } from '../errors.ts'

/** Length in bytes of the UTF-8 form. A lone surrogate counts as U+FFFD, like `Buffer.byteLength`. */
export function utf8Length(text: string): number {
  let length = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    if (unit < 0x800) length += 1
    else {
      length += 2
      if (isHighSurrogate(unit) && isLowSurrogate(text.charCodeAt(i + 1))) i++ // four bytes for two units
    }
  }
  return length
}

/** The UTF-8 bytes of `text` as a binary string: ASCII comes back as it is, so most names cost one scan. */
export function utf8ToBinary(text: string): string {
  let plain = 0
  while (plain < text.length && text.charCodeAt(plain) < 0x80) plain++
  if (plain === text.length) return text
  let out = text.slice(0, plain)
  for (let i = plain; i < text.length; i++) {
    let point = text.charCodeAt(i)
    if (isHighSurrogate(point) && isLowSurrogate(text.charCodeAt(i + 1))) {
      point = 0x10000 + ((point - 0xd800) << 10) + (text.charCodeAt(++i) - 0xdc00)
    } else if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd
    out += encodePoint(point)
  }
  return out
}

/** The inverse of `utf8ToBinary`. Bytes that are not UTF-8 are a `Damaged` error: we never wrote them. */
export function binaryToUtf8(binary: string): string {
  let plain = 0
  while (plain < binary.length && binary.charCodeAt(plain) < 0x80) plain++
  if (plain === binary.length) return binary
  let out = binary.slice(0, plain)
  for (let i = plain; i < binary.length;) {
    const lead = binary.charCodeAt(i)
    const size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    let point = size === 1 ? lead : lead & (0xff >> (size + 1))
    for (let k = 1; k < size; k++) {
      const next = binary.charCodeAt(i + k)
      if ((next & 0xc0) !== 0x80) throw new StoreError('Damaged', 'a stored name is not UTF-8')
      point = (point << 6) | (next & 0x3f)
    }
    // Where Unicode ends, `fromCodePoint` would throw an error of its own.
    if (point > 0x10ffff) throw new StoreError('Damaged', 'a stored name is not UTF-8')
    out += String.fromCodePoint(point)
    i += size
  }
  return out
}

function encodePoint(point: number): string {
  const tail = (shift: number): number => 0x80 | ((point >> shift) & 0x3f)
  if (point < 0x80) return String.fromCharCode(point)
  if (point < 0x800) return String.fromCharCode(0xc0 | (point >> 6), tail(0))
  if (point < 0x10000) return String.fromCharCode(0xe0 | (point >> 12), tail(6), tail(0))
  return String.fromCharCode(0xf0 | (point >> 18), tail(12), tail(6), tail(0))
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff

/** Big-endian, fixed width: the form of numbers inside row keys, where order matters. At most 2^53. */
export function u64Key(value: number): string {
  const high = Math.floor(value / 0x1_0000_0000)
  return u32Key(high) + u32Key(value % 0x1_0000_0000)
}

export function u32Key(value: number): string {
  return String.fromCharCode((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)
}

export function readU64Key(key: string, at: number): number {
  return readU32Key(key, at) * 0x1_0000_0000 + readU32Key(key, at + 4)
}

export function readU32Key(key: string, at: number): number {
  return (
    key.charCodeAt(at) * 0x100_0000 +
    ((key.charCodeAt(at + 1) << 16) | (key.charCodeAt(at + 2) << 8) | key.charCodeAt(at + 3))
  )
}

/** Grows by doubling. `finish` returns a view of the written bytes; the writer is not used afterwards. */
export class ByteWriter {
  private buffer: Uint8Array
  private length = 0

  constructor(initialBytes = 128) {
    this.buffer = new Uint8Array(initialBytes)
  }

  u8(value: number): this {
    this.reserve(1)
    this.buffer[this.length++] = value
    return this
  }

  u32(value: number): this {
    this.reserve(4)
    const { buffer } = this
    buffer[this.length++] = value & 0xff
    buffer[this.length++] = (value >>> 8) & 0xff
    buffer[this.length++] = (value >>> 16) & 0xff
    buffer[this.length++] = value >>> 24
    return this
  }

  /** Unsigned, at most `Number.MAX_SAFE_INTEGER`. */
  varint(value: number): this {
    this.reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.buffer[this.length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.buffer[this.length++] = rest
    return this
  }

  bytes(value: Uint8Array): this {
    this.varint(value.length)
    return this.raw(value)
  }

  raw(value: Uint8Array): this {
    this.reserve(value.length)
    this.buffer.set(value, this.length)
    this.length += value.length
    return this
  }

  /** A binary string with its length in front. */
  binary(value: string): this {
    this.varint(value.length)
    this.reserve(value.length)
    for (let i = 0; i < value.length; i++) this.buffer[this.length++] = value.charCodeAt(i)
    return this
  }

  utf8(value: string): this {
    return this.binary(utf8ToBinary(value))
  }

  bool(value: boolean): this {
    return this.u8(value ? 1 : 0)
  }

  optional<T>(value: T | undefined, write: (writer: ByteWriter, value: T) => void): this {
    this.bool(value !== undefined)
    if (value !== undefined) write(this, value)
    return this
  }

  list<T>(values: readonly T[], write: (writer: ByteWriter, value: T) => void): this {
    this.varint(values.length)
    for (const value of values) write(this, value)
    return this
  }

  /** Insertion order is kept. */
  textMap(values: Readonly<Record<string, string>>): this {
    return this.list(Object.entries(values), (writer, [key, value]) => writer.utf8(key).utf8(value))
  }

  finish(): Uint8Array {
    return this.buffer.subarray(0, this.length)
  }

  private reserve(more: number): void {
    if (this.length + more <= this.buffer.length) return
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.length + more))
    grown.set(this.buffer.subarray(0, this.length))
    this.buffer = grown
  }
}

/** Reads what `ByteWriter` wrote. Running past the end, or a length that cannot be, is a `Damaged` error. */
export class ByteReader {
  private readonly buffer: Uint8Array
  private position: number

  constructor(buffer: Uint8Array, position = 0) {
    this.buffer = buffer
    this.position = position
  }

  get remaining(): number {
    return this.buffer.length - this.position
  }

  u8(): number {
    return this.buffer[this.advance(1)] as number
  }

  u32(): number {
    const at = this.advance(4)
    const { buffer } = this
    return (
      (buffer[at] as number) +
      (buffer[at + 1] as number) * 0x100 +
      (buffer[at + 2] as number) * 0x1_0000 +
      (buffer[at + 3] as number) * 0x100_0000
    )
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 0x80
    }
    throw new StoreError('Damaged', 'a stored number is too long')
  }

  /** A view, not a copy. */
  bytes(): Uint8Array {
    return this.raw(this.varint())
  }

  /** A view that is no `Buffer` even where it is of one: `slice` of those does not copy, of all others it does. */
  raw(length: number): Uint8Array {
    const at = this.advance(length)
    return new Uint8Array(this.buffer.buffer, this.buffer.byteOffset + at, length)
  }

  binary(): string {
    const length = this.varint()
    const at = this.advance(length)
    if (length <= 64) {
      let out = ''
      for (let i = at; i < at + length; i++) out += String.fromCharCode(this.buffer[i] as number)
      return out
    }
    const pieces: string[] = []
    for (let i = at; i < at + length; i += 4096) {
      pieces.push(String.fromCharCode(...this.buffer.subarray(i, Math.min(i + 4096, at + length))))
    }
    return pieces.join('')
  }

  utf8(): string {
    return binaryToUtf8(this.binary())
  }

  bool(): boolean {
    return this.u8() !== 0
  }

  optional<T>(read: (reader: ByteReader) => T): T | undefined {
    return this.bool() ? read(this) : undefined
  }

  list<T>(read: (reader: ByteReader) => T): T[] {
    const count = this.varint()
    if (count > this.remaining) throw new StoreError('Damaged', 'a stored list is longer than its record')
    const out: T[] = []
    for (let i = 0; i < count; i++) out.push(read(this))
    return out
  }

  textMap(): Record<string, string> {
    const out: Record<string, string> = {}
    for (const [key, value] of this.list((reader) => [reader.utf8(), reader.utf8()] as const)) {
      // A header named __proto__ must become a key, not a prototype.
      Object.defineProperty(out, key, { value, enumerable: true, writable: true, configurable: true })
    }
    return out
  }

  private advance(length: number): number {
    const at = this.position
    if (length < 0 || at + length > this.buffer.length) {
      throw new StoreError('Damaged', 'a stored record ends too early')
    }
    this.position = at + length
    return at
  }
}
